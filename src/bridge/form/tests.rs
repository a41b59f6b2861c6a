use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn fill(page: &str, fixed: &[(&str, &str)]) -> Result<Post, NoForm> {
    let fixed: BTreeMap<String, String> =
        fixed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let filling = Filling { fields: &[("u", "me"), ("p", "pw")], fixed: &fixed };
    Page::read(page.as_bytes(), None).fill(filling)
}

fn body(page: &str) -> String {
    fill(page, &[]).unwrap().body
}

const OWN: &str = "<input name=u><input type=password name=p>";

#[test]
fn what_a_browser_would_send_is_sent() {
    for (fields, copied) in [
        ("<input type=hidden name=t value=\"a&amp;b&#43;&quot;\">", "t=a%26b%2B%22&"),
        ("<INPUT VALUE='x' NAME=\"t\" TYPE=HIDDEN>", "t=x&"),
        ("<input type=hidden name=r value=1><input type=hidden name=r value=2>", "r=1&r=2&"),
        ("<input type=hidden name=\"a[b]\" value=\"\">", "a%5Bb%5D=&"),
        ("<input type=hidden value=nameless><input type=hidden name=\"\">", ""),
        ("<input type=hidden name=x value=1 disabled>", ""),
        ("<input type=checkbox name=c value=1><input type=radio name=d value=2>", ""),
        ("<input type=checkbox name=c checked><input type=radio name=d value=2 checked>", "c=on&d=2&"),
        ("<input type=submit name=s value=Go><input type=submit name=z value=No>", "s=Go&"),
        ("<button name=s value=Go>Go</button>", "s=Go&"),
        (
            "<button type=button name=s value=Go>Go</button><input type=file name=f><input type=image name=i>",
            "",
        ),
        ("<select name=s><option value=1>a<option value=2 selected>b</select>", "s=2&"),
        ("<select name=s><option value=1>a<option value=2>b</select>", "s=1&"),
        ("<textarea name=t>\n&lt;x></textarea>", "t=%3Cx%3E&"),
        ("<table><tr><td><input type=hidden name=t value=1></td>", "t=1&"),
        ("<p><div></span><input type=hidden name=t value=1/>", "t=1%2F&"),
        ("<script>'<input name=x value=1>'</script><!-- <input name=y> -->", ""),
        ("<form action=/inner><input type=hidden name=t value=1>", "t=1&"),
    ] {
        assert_eq!(
            body(&format!("<form action=/outer>{fields}{OWN}</form>")),
            format!("{copied}u=me&p=pw"),
            "{fields}"
        );
    }
}

#[test]
fn of_several_forms_the_one_with_name_and_password_is_taken() {
    let quick = "<form action=/quick><input name=quick_u><input type=password name=quick_p></form>";
    let reauth = "<form action=/reauth><input name=p type=password></form>";
    let own = format!("<form action=/login>{OWN}</form>");
    for page in [format!("{quick}{reauth}{own}"), format!("{own}{reauth}{quick}")] {
        assert_eq!(fill(&page, &[]).unwrap().action, "/login");
    }
    assert_eq!(fill(quick, &[]), Err(NoForm::Missing));
    assert_eq!(fill(reauth, &[]), Err(NoForm::Other));
    assert_eq!(fill(OWN, &[]), Err(NoForm::Missing), "fields outside a form are nobody's");
}

#[test]
fn what_the_preset_fixes_replaces_what_the_page_says() {
    let page =
        format!("<form>{OWN}<input type=hidden name=r value=1><input type=hidden name=r value=2></form>");
    assert_eq!(fill(&page, &[("r", "index.php"), ("s", "1")]).unwrap().body, "u=me&p=pw&r=index.php&s=1");
}

#[test]
fn the_pages_own_letters_are_used() {
    let page = "<meta http-equiv=content-type content=\"text/html; charset=iso-8859-1\"><form><input name=u>\
                <input name=p><input type=hidden name=t value=\"";
    let page = [page.as_bytes(), b"\xe9\"></form>"].concat();
    let fixed = BTreeMap::new();
    let filling = Filling { fields: &[("u", "é"), ("p", "ł")], fixed: &fixed };
    let in_page = Page::read(&page, None).fill(filling).unwrap().body;
    assert_eq!(in_page, "t=%E9&u=%E9&p=%26%23322%3B", "a letter it has not goes as browsers write it");
    let in_header = Page::read(&page, Some("utf-8")).fill(filling).unwrap().body;
    assert_eq!(in_header, "t=%EF%BF%BD&u=%C3%A9&p=%C5%82", "the header knows better than the page");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), charset in "[a-z0-9-]{0,12}") {
        let fixed = BTreeMap::new();
        let page = Page::read(&bytes, Some(&charset));
        let _ = page.fill(Filling { fields: &[("u", "é"), ("p", "x")], fixed: &fixed });
    }

    #[test]
    fn no_soup_of_tags_makes_it_panic(
        soup in proptest::collection::vec(
            "<(/?(form|input|select|option|textarea|button|script|base|table)( (name|type|value|action)=('|\"|)[a-z&#;]{0,4}('|\"|)){0,3}/?>?|!--|!\\[CDATA\\[)?",
            0..30,
        )
    ) {
        let _ = fill(&soup.concat(), &[("f", "1")]);
    }

    #[test]
    fn a_hidden_value_arrives_as_it_was_written(value in "\\PC{0,30}") {
        let escaped = value.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
        let body = body(&format!("<form>{OWN}<input type=\"hidden\" name=\"t\" value=\"{escaped}\"></form>"));
        let sent: Vec<(String, String)> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        prop_assert_eq!(&sent[0], &("t".to_owned(), value));
    }
}
