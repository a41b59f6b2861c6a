//! The pages one reads: boards, topics, search, feed. Each copies what it shows out of the forum, then lets go of it.

use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, StatusCode};
use minijinja::{Value, context};
use serde_json::json;

use super::attachments::Attachment;
use super::boards::{Post, Topic};
use super::body::Body;
use super::diagnostics::lines;
use super::pages::show;
use super::reply::{Answer, Trouble, answer, json as reply_json};
use super::visit::Visit;

/// Entries of the feed and of a search.
const NEWEST: usize = 20;

pub(super) fn index(visit: &Visit<'_>) -> Answer {
    let boards: Vec<Value> = {
        let forum = visit.forum.boards();
        let row = |board: &super::boards::Board| {
            let topics = forum.topics_of(board.id);
            let posts: usize = topics.iter().map(|topic| topic.posts.len()).sum();
            let newest = topics.first().map(|topic| topic_row(topic));
            context! { id => board.id, name => board.name, about => board.about, topics => topics.len(), posts, newest }
        };
        forum.boards.iter().map(row).collect()
    };
    show(visit, StatusCode::OK, "Index", "index.html", context! { boards })
}

pub(super) fn board(visit: &Visit<'_>) -> Result<Answer, Trouble> {
    let forum = visit.forum.boards();
    let id = visit.query.number("f");
    let name = forum.board(id).ok_or(Trouble::not_found("There is no such board."))?.name;
    let topics: Vec<Value> = forum.topics_of(id).into_iter().map(topic_row).collect();
    drop(forum);
    Ok(show(visit, StatusCode::OK, name, "board.html", context! { id, name, topics }))
}

pub(super) fn topic(visit: &Visit<'_>) -> Result<Answer, Trouble> {
    let forum = visit.forum.boards();
    let topic = forum.topic(visit.query.number("t")).ok_or(Trouble::not_found("There is no such topic."))?;
    let board = forum.board(topic.board).map_or("", |board| board.name);
    let start = usize::try_from(visit.query.number("start")).unwrap_or(usize::MAX) / topic.page * topic.page;
    let shown: Vec<Post> = topic.posts.iter().skip(start).take(topic.page).cloned().collect();
    let pages: Vec<usize> = (0..topic.posts.len()).step_by(topic.page).collect();
    let subject = topic.subject.clone();
    let values = context! {
        id => topic.id, board_id => topic.board, board, subject => subject.as_str(), pages, start, per_page => topic.page,
    };
    drop(forum);
    let posts: Vec<Value> = shown.iter().map(|post| post_row(visit, post)).collect();
    Ok(show(visit, StatusCode::OK, &subject, "topic.html", context! { posts, ..values }))
}

pub(super) fn search(visit: &Visit<'_>) -> Answer {
    let keywords = visit.query.last("keywords").trim();
    let wanted = keywords.to_lowercase();
    let topics: Vec<Value> = {
        let forum = visit.forum.boards();
        let matches = |topic: &&Topic| !wanted.is_empty() && topic.subject.to_lowercase().contains(&wanted);
        forum.newest_topics().into_iter().filter(matches).take(NEWEST).map(topic_row).collect()
    };
    show(visit, StatusCode::OK, "Search", "search.html", context! { keywords, topics })
}

pub(super) fn whoami(visit: &Visit<'_>) -> Answer {
    let values = context! {
        method => visit.parts.method.as_str(),
        target => visit.parts.uri.to_string(),
        headers => lines(&visit.parts.headers),
    };
    show(visit, StatusCode::OK, "What the forum sees", "whoami.html", values)
}

/// The newest topics as RSS. Its links are absolute, made of `Host` and `X-Forwarded-Proto`.
pub(super) fn feed(visit: &Visit<'_>) -> Answer {
    let topics: Vec<Value> =
        visit.forum.boards().newest_topics().into_iter().take(NEWEST).map(topic_row).collect();
    let header = |name: &str| visit.parts.headers.get(name).and_then(|value| value.to_str().ok());
    let scheme = if header("x-forwarded-proto") == Some("https") { "https" } else { "http" };
    let base = format!("{scheme}://{}", header(HOST.as_str()).unwrap_or("localhost"));
    match visit.forum.pages.render("feed.xml", context! { base, topics }) {
        Ok(xml) => answer(StatusCode::OK, "application/rss+xml; charset=utf-8", Body::chunked().then(xml)),
        Err(error) => answer(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", Body::sized(error.to_string())),
    }
}

/// What the index page asks for in the background.
pub(super) fn ajax(visit: &Visit<'_>) -> Answer {
    let (topics, posts) = {
        let forum = visit.forum.boards();
        let topics = forum.newest_topics();
        (topics.len(), topics.iter().map(|topic| topic.posts.len()).sum::<usize>())
    };
    let name = &visit.visitor.name;
    let mut answer = reply_json(
        &json!({ "topics": topics, "posts": posts, "member": (!name.is_empty()).then_some(name) }),
    );
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    answer
}

fn topic_row(topic: &Topic) -> Value {
    let newest = topic.newest();
    context! {
        id => topic.id,
        subject => topic.subject.as_str(),
        author => topic.posts[0].author.as_str(),
        replies => topic.posts.len() - 1,
        newest_by => newest.author.as_str(),
        newest_at => newest.written_at,
        newest_start => (topic.posts.len() - 1) / topic.page * topic.page,
        newest_id => newest.id,
    }
}

fn post_row(visit: &Visit<'_>, post: &Post) -> Value {
    let files = {
        let kept = visit.forum.attachments();
        post.attachments.iter().filter_map(|id| kept.find(*id)).collect::<Vec<_>>()
    };
    let files: Vec<Value> = files.iter().map(|file| file_row(file)).collect();
    let lines: Vec<Value> = post.text.lines().map(Value::from).collect();
    context! { id => post.id, author => post.author.as_str(), written_at => post.written_at, lines, files }
}

fn file_row(file: &Attachment) -> Value {
    context! { id => file.id, name => file.name.as_str(), size => file.bytes.len(), is_shown => file.is_shown() }
}
