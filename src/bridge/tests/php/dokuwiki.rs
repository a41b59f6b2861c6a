//! DokuWiki.

use crate::bridge::tests::is_right;
use crate::bridge::tests::server::{Call, Fake, Reply};

pub(in crate::bridge::tests) fn dokuwiki() -> Fake {
    Box::new(|call: &Call| {
        let is_member = call.cookie("DW68700bfd16c2027de7de74a5a8202a6f") == "YWxpY2U%3D%7C1%7Cabc";
        if is_member && call.asks("do=logout&sectok=1") {
            return Reply::to("/doku.php?id=start").cookie(
                "DW68700bfd16c2027de7de74a5a8202a6f=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT; Max-Age=0; path=/",
            );
        }
        if is_member {
            return Reply::page(
                "<li class=\"user\">Logged in as: <bdi>The Queen</bdi> (<bdi>Alice</bdi>)</li>\
                 <a href=\"/doku.php?id=start&amp;do=logout&amp;sectok=1\">",
            );
        }
        let form = "<form id=\"dw__search\" action=\"/doku.php?id=start\"><input name=\"q\"></form>\
             <form id=\"dw__login\" action=\"/doku.php\" method=\"post\" accept-charset=\"utf-8\"><div class=\"no\">\
             <input type=\"hidden\" name=\"sectok\" value=\"5e1f\"><input type=\"hidden\" name=\"id\" value=\"start\">\
             <input type=\"hidden\" name=\"do\" value=\"login\"><input type=\"text\" name=\"u\"><input type=\"password\" name=\"p\">\
             <input type=\"checkbox\" name=\"r\" value=\"1\"><button type=\"submit\">Log In</button></div></form>";
        if !call.is_post() {
            return Reply::page(form).cookie("DokuWiki=s1; path=/; HttpOnly");
        }
        let is_whole =
            call.field("do") == "login" && call.field("sectok") == "5e1f" && call.cookie("DokuWiki") == "s1";
        if !is_whole || !is_right(call.field("u"), call.field("p")) {
            return Reply::page(format!("Sorry, username or password was wrong.{form}")).status(403);
        }
        Reply::to("/doku.php?id=start")
            .cookie("DW68700bfd16c2027de7de74a5a8202a6f=YWxpY2U%3D%7C1%7Cabc; path=/; HttpOnly")
    })
}
