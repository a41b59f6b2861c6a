//! Boards, topics and posts: the forum's memory, without any HTML.

use std::collections::BTreeMap;

/// Bytes of text the forum takes before it says that it is full.
const TEXT_LIMIT: usize = 64 << 20;
/// Posts on a page of a topic.
pub(super) const PAGE: usize = 15;

/// One board.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) id: u64,
    pub(super) name: &'static str,
    pub(super) about: &'static str,
}

/// One topic; its first post opened it.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) id: u64,
    pub(super) board: u64,
    pub(super) subject: String,
    /// Never empty.
    pub(super) posts: Vec<Post>,
    /// Posts shown at once.
    pub(super) page: usize,
}

/// One post.
#[derive(Clone, Debug)]
pub(super) struct Post {
    pub(super) id: u64,
    pub(super) author: String,
    pub(super) text: String,
    /// Seconds since 1970.
    pub(super) written_at: u64,
    /// Numbers of the files that hang on it.
    pub(super) attachments: Vec<u64>,
}

/// What somebody wants to post.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) author: String,
    pub(super) text: String,
    pub(super) written_at: u64,
    pub(super) attachments: Vec<u64>,
}

/// Why a draft was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotPosted {
    /// No such board or topic.
    Nowhere,
    /// There is no room for more text.
    Full,
}

/// Where a post ended up.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Posted {
    pub(super) topic: u64,
    pub(super) post: u64,
    /// The `start` of the page it is on.
    pub(super) start: usize,
}

/// All boards with all topics.
#[derive(Debug, Default)]
pub(super) struct Boards {
    pub(super) boards: Vec<Board>,
    topics: BTreeMap<u64, Topic>,
    last_post: u64,
    text_bytes: usize,
}

impl Boards {
    /// These boards, without a topic.
    pub(super) fn new(boards: Vec<Board>) -> Self {
        Self { boards, ..Self::default() }
    }

    pub(super) fn board(&self, id: u64) -> Option<&Board> {
        self.boards.iter().find(|board| board.id == id)
    }

    pub(super) fn topic(&self, id: u64) -> Option<&Topic> {
        self.topics.get(&id)
    }

    /// The topics of a board, the one with the newest post first.
    pub(super) fn topics_of(&self, board: u64) -> Vec<&Topic> {
        let mut topics: Vec<&Topic> = self.topics.values().filter(|topic| topic.board == board).collect();
        topics.sort_by_key(|topic| std::cmp::Reverse(topic.newest().id));
        topics
    }

    /// All topics, the one with the newest post first.
    pub(super) fn newest_topics(&self) -> Vec<&Topic> {
        let mut topics: Vec<&Topic> = self.topics.values().collect();
        topics.sort_by_key(|topic| std::cmp::Reverse(topic.newest().id));
        topics
    }

    /// Opens a topic with the next free number.
    pub(super) fn open(&mut self, board: u64, subject: String, draft: Draft) -> Result<Posted, NotPosted> {
        let id = self.topics.last_key_value().map_or(1, |(id, _)| id + 1);
        self.open_as(id, board, subject, PAGE, draft)
    }

    /// Opens a topic with this number and so many posts on a page.
    pub(super) fn open_as(
        &mut self,
        id: u64,
        board: u64,
        subject: String,
        page: usize,
        draft: Draft,
    ) -> Result<Posted, NotPosted> {
        self.board(board).ok_or(NotPosted::Nowhere)?;
        let post = self.take(draft)?;
        let posted = Posted { topic: id, post: post.id, start: 0 };
        self.topics.insert(id, Topic { id, board, subject, posts: vec![post], page });
        Ok(posted)
    }

    /// Adds a post to a topic.
    pub(super) fn reply(&mut self, topic: u64, draft: Draft) -> Result<Posted, NotPosted> {
        if !self.topics.contains_key(&topic) {
            return Err(NotPosted::Nowhere);
        }
        let post = self.take(draft)?;
        let found = self.topics.get_mut(&topic).ok_or(NotPosted::Nowhere)?;
        let start = found.posts.len() / found.page * found.page;
        let posted = Posted { topic, post: post.id, start };
        found.posts.push(post);
        Ok(posted)
    }

    fn take(&mut self, draft: Draft) -> Result<Post, NotPosted> {
        if self.text_bytes + draft.text.len() > TEXT_LIMIT {
            return Err(NotPosted::Full);
        }
        self.text_bytes += draft.text.len();
        self.last_post += 1;
        let Draft { author, text, written_at, attachments } = draft;
        Ok(Post { id: self.last_post, author, text, written_at, attachments })
    }
}

impl Topic {
    /// The last post.
    pub(super) fn newest(&self) -> &Post {
        // There is always a first post.
        &self.posts[self.posts.len() - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(text: &str) -> Draft {
        Draft { author: "alice".into(), text: text.into(), written_at: 0, attachments: Vec::new() }
    }

    fn boards() -> Boards {
        Boards::new(vec![Board { id: 1, name: "One", about: "" }])
    }

    #[test]
    fn a_reply_says_on_which_page_it_is() {
        let mut boards = boards();
        let topic = boards.open(1, "Subject".into(), draft("first")).unwrap().topic;
        for _ in 1..PAGE {
            assert_eq!(boards.reply(topic, draft("more")).unwrap().start, 0);
        }
        assert_eq!(boards.reply(topic, draft("next page")).unwrap().start, PAGE);
    }

    #[test]
    fn what_is_nowhere_or_too_much_is_not_posted() {
        let mut boards = boards();
        assert_eq!(boards.open(9, "x".into(), draft("x")), Err(NotPosted::Nowhere));
        assert_eq!(boards.reply(9, draft("x")), Err(NotPosted::Nowhere));
        assert_eq!(boards.open(1, "x".into(), draft(&"x".repeat(TEXT_LIMIT + 1))), Err(NotPosted::Full));
    }

    #[test]
    fn the_topic_with_the_newest_post_comes_first() {
        let mut boards = boards();
        let old = boards.open(1, "old".into(), draft("x")).unwrap().topic;
        let new = boards.open(1, "new".into(), draft("x")).unwrap().topic;
        boards.reply(old, draft("again")).unwrap();
        let order: Vec<u64> = boards.topics_of(1).iter().map(|topic| topic.id).collect();
        assert_eq!(order, [old, new]);
    }
}
