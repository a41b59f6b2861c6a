use super::*;

#[test]
fn every_shipped_preset_reads_and_says_its_own_name() {
    for name in Preset::names() {
        let preset =
            Preset::parse(Preset::text(name).unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(preset.name, name);
        assert_eq!(preset.kinds[0], Kind::Form, "{name}: works without a change of the forum's settings");
        assert!(!preset.addresses.login.is_empty() && !preset.addresses.logout.is_empty(), "{name}");
        assert!(!preset.signs.signed_out.is_empty(), "{name}: a session that is over must be noticed");
    }
}

#[test]
fn a_preset_is_written_as_a_text_that_reads_as_the_same_one() {
    for name in Preset::names() {
        let preset = Preset::shipped(name).unwrap();
        let text = preset.to_text();
        assert_eq!(Preset::parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}")), preset);
    }
}

#[test]
fn every_preset_in_the_folder_is_in_the_binary() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/config/presets");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> =
        files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    let mut shipped: Vec<&str> = Preset::names().collect();
    shipped.sort_unstable();
    assert_eq!(names, shipped);
}

#[test]
fn a_preset_that_would_do_harm_or_nothing_is_refused() {
    let good = Preset::text("phpbb").unwrap();
    for (from, to, said) in [
        ("version = ", "versoin = ", "versoin"),
        ("page = \"/", "page = \"//evil.example/", "one slash"),
        ("wait = \"1s\"", "wait = \"soon\"", "soon"),
        ("[cookies]", "[cookeys]", "cookeys"),
        ("[signs]", "[signs]\nthrottled = [{}]", "every answer"),
        ("kinds = [\"form\", \"basic\", \"session\"]", "kinds = []", "at least one"),
        ("kinds = [\"form\", \"basic\", \"session\"]", "kinds = [\"magic\"]", "magic"),
        ("recipe = \"phpbb\"", "recipe = \"phorum\"", "phorum"),
        ("[session]\nrecipe = \"phpbb\"\ntable_prefix = \"phpbb_\"", "", "session: needed"),
        ("check = ", "action = ", "form.check: needed"),
        ("login = [\"/ucp.php", "login = [\"ucp.php", "begin with a slash"),
    ] {
        assert!(good.contains(from), "{from}");
        let error = Preset::parse(&good.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(said), "{to}: {error}");
    }
    let bare = "name = \"x\"\ntitle = \"X\"\nversion = 1\nkinds = [\"form\"]\n";
    assert!(Preset::parse(bare).unwrap_err().to_string().contains("form:"));
    assert!(Preset::parse(&bare.replace("form", "headers")).is_ok());
}
