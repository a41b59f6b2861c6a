//! The one list of addresses. An address takes GET and HEAD unless the list says otherwise.

use http::{Method, Request};
use hyper::body::Incoming;

use super::reply::{Answer, Trouble};
use super::visit::Visit;
use super::{Forum, diagnostics, download, login, pages, posting, reading, statics, views, websocket};

/// Answers one request.
pub(super) async fn answer(forum: &Forum, request: Request<Incoming>) -> Answer {
    if request.uri().path() == "/ws" {
        return websocket::answer(forum, request);
    }
    let (parts, body) = request.into_parts();
    let visit = Visit::new(forum, &parts);
    match route(&visit, body).await {
        Ok(answer) => answer,
        Err(trouble) => pages::trouble(&visit, &trouble),
    }
}

async fn route(visit: &Visit<'_>, body: Incoming) -> Result<Answer, Trouble> {
    let posted = visit.parts.method == Method::POST;
    match visit.parts.uri.path() {
        "/login.php" if posted => login::submit(visit, &reading::submission(visit.parts, body).await?),
        "/posting.php" if posted => posting::submit(visit, reading::submission(visit.parts, body).await?),
        "/echo" => Ok(diagnostics::echo(visit, body)),
        "/sink" => diagnostics::sink(body).await,
        "/slow" => Ok(diagnostics::slow(visit).await),
        "/whoami.json" => Ok(diagnostics::whoami_json(visit)),
        path if matches!(visit.parts.method, Method::GET | Method::HEAD) => read(visit, path),
        _ => Err(Trouble::method()),
    }
}

fn read(visit: &Visit<'_>, path: &str) -> Result<Answer, Trouble> {
    match path {
        "/" | "/index.php" => Ok(views::index(visit)),
        "/viewforum.php" => views::board(visit),
        "/viewtopic.php" => views::topic(visit),
        "/search.php" => Ok(views::search(visit)),
        "/whoami.php" => Ok(views::whoami(visit)),
        "/posting.php" => posting::form(visit),
        "/login.php" => login::page(visit),
        "/download.php" => download::answer(visit),
        "/feed.php" => Ok(views::feed(visit)),
        "/ajax.php" => Ok(views::ajax(visit)),
        "/bytes" => Ok(diagnostics::bytes(visit)),
        "/status" => diagnostics::status(visit),
        "/trailers" => Ok(diagnostics::trailers()),
        "/setcookie" => Ok(diagnostics::set_cookie()),
        _ => statics::answer(path).ok_or(Trouble::not_found("There is no such page on this forum.")),
    }
}
