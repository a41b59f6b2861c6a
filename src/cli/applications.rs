//! The applications and their servers in words, as several commands tell them.

use crate::config::Config;
use crate::policy::ApplicationId;
use crate::proxy::options::{ApplicationOptions, Balance};

/// What a request for this application goes to.
pub(super) fn servers(application: &ApplicationOptions) -> String {
    let is_even = application.servers.iter().all(|server| server.weight == 1);
    let each = application.servers.iter().map(|server| match is_even {
        true => server.place.to_string(),
        false => format!("{} (weight {})", server.place, server.weight),
    });
    let each = each.collect::<Vec<_>>().join(", ");
    if application.servers.len() == 1 {
        return each;
    }
    let way = match application.balance {
        Balance::Turns => "one of them in turn",
        Balance::Member => "always the same one for a member",
        Balance::Address => "always the same one for an address",
    };
    format!("{each}; {way}")
}

/// The application of this id: its route, if it has one, and its servers.
pub(super) fn told(config: &Config, id: ApplicationId) -> String {
    let application = config.proxy.upstream.application(id);
    let servers = servers(application);
    match id.route() {
        None => servers,
        Some(at) => format!("{servers} (upstream.route.{}, {})", at + 1, application.name),
    }
}

/// The routes and where they lead, in the order of the file.
pub(super) fn routes(config: &Config) -> impl Iterator<Item = String> {
    let routed = config.proxy.upstream.routed.iter();
    routed.map(|application| format!("{} to {}", application.name, servers(application)))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::super::tests::Place;
    use crate::cli::Exit;

    /// An address where nobody listens, and one where somebody does.
    fn addresses() -> (String, TcpListener) {
        let [gone, there] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        (gone.local_addr().unwrap().to_string(), there)
    }

    #[test]
    fn check_explain_and_doctor_tell_routes_and_servers() {
        let (gone, there) = addresses();
        let there = there.local_addr().map(|address| (address.to_string(), there)).unwrap();
        let place = Place::new(&format!(
            "[upstream]\nurl = [\"http://{}\", \"http://{gone}\"]\nweights = [3, 1]\n\
             [[upstream.route]]\npath = \"/wiki/**\"\nurl = \"unix:/nowhere/app.sock\"\n[access]\ndefault = \"guest\"\n",
            there.0
        ));
        let run = |words: &[&str]| place.run(words);
        let checked = run(&["check"]).out;
        for part in [
            format!("http://{} (weight 3), http://{gone} (weight 1); one of them in turn", there.0),
            "/wiki/** to unix:/nowhere/app.sock".to_owned(),
        ] {
            assert!(checked.contains(&part), "{part}\n{checked}");
        }
        let explained = |target| run(&["explain", "GET", target]).out;
        let wiki = "goes to: unix:/nowhere/app.sock (upstream.route.1, /wiki/**)";
        assert!(explained("/wiki/x").contains(wiki), "{}", explained("/wiki/x"));
        assert!(explained("/").contains(&format!("goes to: http://{}", there.0)));
        assert!(!explained("/.passgate/login").contains("goes to"));
        let examined = run(&["doctor"]);
        assert_eq!(examined.exit, Exit::Unavailable);
        let lines: Vec<_> = examined.out.lines().collect();
        assert_eq!(lines.len(), 3, "{}", examined.out);
        assert!(lines[0].contains(&there.0) && lines[0].ends_with("  fine"), "{}", lines[0]);
        assert!(lines[1].contains(&gone) && !lines[1].ends_with("fine"), "{}", lines[1]);
        assert!(lines[2].starts_with("/wiki/**") && !lines[2].ends_with("fine"), "{}", lines[2]);
    }
}
