//! Going from page to page of the forum, as far as a redirect may lead: five steps, never to another host.

use http::header::{CONTENT_TYPE, COOKIE, HeaderName, LOCATION, ORIGIN, REFERER, RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use std::time::Duration;
use url::{Position, Url};

use super::super::client::{Answer, Client, NoAnswer};
use super::super::form::{Filling, Page};
use super::super::{CookieNames, Jar, MemberName, Seen, Visitor};
use super::{Login, Step, Taken};
use crate::domain::Clock;

/// How many redirects are followed.
const REDIRECTS: usize = 5;
/// The longest time to keep away that a forum is believed.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// A way through the forum.
pub(super) struct Walk<'w> {
    client: &'w Client,
    clock: &'w dyn Clock,
    visitor: &'w Visitor,
    /// The page that the next request comes from.
    from: Option<Url>,
    pub(super) jar: Jar,
    pub(super) steps: Vec<Taken>,
    /// The forum's name of whoever is signed in.
    pub(super) name: Option<String>,
}

/// One answer on the way.
pub(super) struct Hop {
    status: StatusCode,
    headers: HeaderMap,
    url: Url,
    cookies: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    page: Option<Page>,
}

impl Hop {
    pub(super) fn seen(&self) -> Seen<'_> {
        Seen {
            status: self.status.as_u16(),
            location: self.headers.get(LOCATION).and_then(|value| value.to_str().ok()),
            cookies: self.cookies.clone(),
            page: self.page.as_ref().map(|page| page.text.as_str()),
            fields: self.page.as_ref().map(Page::names).unwrap_or_default(),
        }
    }

    /// What the forum says of how long to keep away.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds).min(LONGEST))
    }
}

impl<'w> Walk<'w> {
    pub(super) fn new(client: &'w Client, clock: &'w dyn Clock, visitor: &'w Visitor) -> Self {
        Self { client, clock, visitor, from: None, jar: Jar::default(), steps: Vec::new(), name: None }
    }

    pub(super) const fn visitor(&self) -> &'w Visitor {
        self.visitor
    }

    /// Notes why it ends here.
    pub(super) fn stop(&mut self, step: Step, said: &str, login: Login) -> Login {
        self.steps.push(Taken { step, said: said.to_owned() });
        login
    }

    pub(super) fn unrecognised(&mut self, step: Step, said: &str) -> Login {
        self.stop(step, said, Login::Unrecognised { step })
    }

    /// Reads who is signed in from the last page of the way.
    pub(super) fn read_name(&mut self, name: &MemberName, typed: &str, way: &[Hop]) {
        let page = way.last().and_then(|hop| hop.page.as_ref());
        self.name = page.and_then(|page| name.read(typed, &page.text));
        if self.name.is_none() {
            let said = "the member's name is not where form.name says".to_owned();
            self.steps.push(Taken { step: Step::Check, said });
        }
    }

    /// Fetches a page, given as an address on the forum's host.
    pub(super) async fn fetch(&mut self, step: Step, address: &str) -> Result<Vec<Hop>, Login> {
        let Some(url) = self.visitor.origin().join(address) else {
            return Err(self.unrecognised(step, "the preset's address is none"));
        };
        self.follow(step, url, None).await
    }

    /// Fills in the form on the last page of the way. Gives where it goes and what is sent.
    pub(super) fn fill(
        &mut self,
        way: &[Hop],
        action: Option<&str>,
        filling: Filling<'_>,
    ) -> Result<(Url, String), Login> {
        let Some((hop, page)) = way.last().and_then(|hop| Some((hop, hop.page.as_ref()?))) else {
            return Err(self.unrecognised(Step::Form, "the page is no HTML"));
        };
        let post = page.fill(filling).map_err(|why| self.unrecognised(Step::Form, &why.to_string()))?;
        let to = match action {
            Some(action) => self.visitor.origin().join(action).and_then(|to| self.at_forum(&to)),
            None => self.target(hop, page, &post.action),
        };
        match to {
            Some(to) => Ok((to, post.body)),
            None => Err(self.unrecognised(
                Step::Form,
                "the form is sent to another host: is the forum's own address set right?",
            )),
        }
    }

    /// The first button on the last page of the way that posts to where `is_meant`, or else the first link that leads there:
    /// whoever follows the link that stands on each page may come to a page that asks again, with a button.
    pub(super) fn exit(
        &self,
        way: &[Hop],
        is_meant: impl Fn(&Url, &str) -> bool,
    ) -> Option<(Url, Option<String>)> {
        let hop = way.last()?;
        let page = hop.page.as_ref()?;
        let meant = |action: &str, body: &str| self.target(hop, page, action).filter(|to| is_meant(to, body));
        let button =
            page.buttons().find_map(|post| Some((meant(&post.action, &post.body)?, Some(post.body))));
        button.or_else(|| page.links().find_map(|link| Some((meant(&link, "")?, None))))
    }

    /// Goes where an exit leads.
    pub(super) async fn go(&mut self, (to, body): (Url, Option<String>)) -> Result<Vec<Hop>, Login> {
        self.follow(if body.is_some() { Step::Post } else { Step::Page }, to, body).await
    }

    /// Where an address on a page leads; none if that is another host.
    fn target(&self, hop: &Hop, page: &Page, address: &str) -> Option<Url> {
        let base = page.base().filter(|_| !address.is_empty()).and_then(|base| hop.url.join(base).ok());
        let to = base.as_ref().unwrap_or(&hop.url).join(address).ok()?;
        self.at_forum(&to)
    }

    /// Posts a form and follows where that leads.
    pub(super) async fn post(&mut self, to: Url, body: String) -> Result<Vec<Hop>, Login> {
        self.follow(Step::Post, to, Some(body)).await
    }

    async fn follow(
        &mut self,
        step: Step,
        mut url: Url,
        mut form: Option<String>,
    ) -> Result<Vec<Hop>, Login> {
        let mut hops = Vec::new();
        for _ in 0..=REDIRECTS {
            let hop = self.ask(step, &url, form.take()).await?;
            let next = hop.headers.get(LOCATION).filter(|_| hop.status.is_redirection()).cloned();
            let keeps_method = matches!(hop.status.as_u16(), 307 | 308);
            hops.push(hop);
            let Some(next) = next else { return Ok(hops) };
            if keeps_method && step == Step::Post {
                return Err(self.unrecognised(step, "what was posted would have to be sent a second time"));
            }
            let to = next.to_str().ok().and_then(|next| url.join(next).ok());
            let Some(to) = to.and_then(|to| self.at_forum(&to)) else {
                return Err(self
                    .unrecognised(step, "it leads to another host: is the forum's own address set right?"));
            };
            url = to;
        }
        Err(self.unrecognised(step, "it leads on and on"))
    }

    async fn ask(&mut self, step: Step, url: &Url, form: Option<String>) -> Result<Hop, Login> {
        let target = &url[Position::BeforePath..Position::AfterQuery];
        let fields = self.fields(url, form.is_some());
        let answer = match self.client.ask(self.visitor.address(), target, fields, form).await {
            Ok(answer) => answer,
            Err(why @ (NoAnswer::TooLong | NoAnswer::Compressed | NoAnswer::Unwritable(_))) => {
                return Err(self.unrecognised(step, &why.to_string()));
            }
            Err(why) => return Err(self.stop(step, &why.to_string(), Login::Unavailable)),
        };
        self.steps.push(Taken { step, said: format!("{} {}", answer.status.as_u16(), url.path()) });
        if answer.status.is_server_error() {
            return Err(self.stop(step, "the forum has a fault of its own", Login::Unavailable));
        }
        self.from = Some(url.clone());
        Ok(self.take(answer, url))
    }

    /// Keeps the answer's cookies and reads its page.
    fn take(&mut self, answer: Answer, url: &Url) -> Hop {
        let Answer { status, headers, body } = answer;
        let mut cookies: Vec<(Vec<u8>, Option<Vec<u8>>)> = Vec::new();
        for field in headers.get_all(SET_COOKIE) {
            let Some(setting) = self.jar.set(field.as_bytes(), url.path(), self.clock.now()) else {
                continue;
            };
            cookies.retain(|(name, _)| name != setting.name);
            cookies.push((setting.name.to_vec(), setting.value.map(<[u8]>::to_vec)));
        }
        let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("text/html");
        let kind = kind.to_ascii_lowercase();
        let charset = kind.split_once("charset=").map(|(_, charset)| charset.trim_matches(['"', ' ', ';']));
        let is_html = kind.starts_with("text/html") || kind.starts_with("application/xhtml");
        let page = is_html.then(|| Page::read(&body, charset));
        Hop { status, headers, url: url.clone(), cookies, page }
    }

    fn fields(&self, url: &Url, is_post: bool) -> HeaderMap {
        let mut fields = self.visitor.headers().clone();
        let mut set = |name: HeaderName, text: &str| {
            if let Ok(value) = HeaderValue::from_str(text) {
                fields.insert(name, value);
            }
        };
        if is_post {
            set(ORIGIN, &self.visitor.origin().to_text());
        }
        if let Some(from) = &self.from {
            set(REFERER, from.as_str());
        }
        let none = CookieNames::default();
        if let Some(cookies) = self.jar.field(std::iter::empty(), &none, url.path(), self.clock.now()) {
            fields.insert(COOKIE, cookies);
        }
        fields
    }

    /// The same address on the origin that the browser knows; none if it is on another host.
    fn at_forum(&self, url: &Url) -> Option<Url> {
        self.visitor
            .is_at_forum(url)
            .then(|| self.visitor.origin().join(&url[Position::BeforePath..]))
            .flatten()
    }
}
