//! The pages of invitations: what it is, how to join with an app, and a form for those who have none; new passwords.
//!
//! XEP-0379 0.3.3 section 3.3, XEP-0401 0.6.0 section 4.2
//!
//! No script, nothing from elsewhere. Whoever has the token is whom the page is for: it is never stored in a browser and
//! never told to other sites.
//!
//! Not here: what a token allows (accounts), the form's body (`form.rs`).

use address::Jid;
use hyper::body::Incoming;
use hyper::header;
use hyper::{Method, Request, Response, StatusCode};
use model::invite::{Invitation, Purpose};
use model::query::{AccountFound, AccountQuery, Password};
use qrcode::QrCode;
use qrcode::render::svg;
use stanza::when;

use super::form::{self, escape};
use super::reply::{Body, Reply, set};
use super::request::Asked;
use super::{Web, only_get};

/// What the address of such a page begins with; the token follows.
pub const INVITE_PATH: &str = "/invite/";
/// Characters of the longest token.
const TOKEN_MAX: usize = 128;
/// Where a code is unreadable at once: modules of the printed QR code in pixels at least.
const QR_MODULE: u32 = 4;

/// Answers what is asked of the page of a token.
pub(crate) async fn answer(
    web: &Web,
    asked: Asked,
    token: &str,
    request: Request<Incoming>,
) -> Response<Body> {
    let proper = token.len() <= TOKEN_MAX && token.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let look = AccountQuery::LookUp { token: Password::new(token) };
    let found = match proper {
        true => web.shared.authority.visitor(look, asked.peer).await,
        false => AccountFound::No,
    };
    let AccountFound::Invitations(found) = found else { return over(&asked) };
    let Some(invitation) = found.into_iter().next() else { return over(&asked) };
    if request.method() == Method::POST {
        return submitted(web, &asked, token, invitation, request).await;
    }
    only_get(&request).unwrap_or_else(|| show(&asked, &invitation, token, StatusCode::OK, None))
}

fn page(status: StatusCode, title: &str, domain: &str, body: &str) -> Response<Body> {
    let html = include_str!("invite.html");
    // Title and domain first: the body may hold anything.
    let html = html.replace("{title}", &escape(title)).replace("{domain}", &escape(domain));
    let mut response = Reply::of(status, "text/html; charset=utf-8", html.replace("{body}", body));
    set(
        response.headers_mut(),
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    );
    response
}

fn over(asked: &Asked) -> Response<Body> {
    let body = "<h1>This invitation does not hold</h1>\n<p>It was used already, its time is over, or the address is not \
                complete. Ask whoever gave it to you for a new one.</p>";
    page(StatusCode::NOT_FOUND, "This invitation does not hold", asked.domain(), body)
}

/// The page of an invitation that holds, with what was wrong with the last try.
fn show(
    asked: &Asked,
    invitation: &Invitation,
    token: &str,
    status: StatusCode,
    wrong: Option<&str>,
) -> Response<Body> {
    let wrong = wrong
        .map(|text| format!("<p class=\"wrong\" role=\"alert\">{}</p>\n", escape(text)))
        .unwrap_or_default();
    let until = escape(&when::seconds(invitation.until).replace('T', " ").replace('Z', " UTC"));
    let domain = &invitation.domain;
    if invitation.purpose == Purpose::Recovery {
        let account = invitation.account.as_ref().map(|account| escape(account.as_str())).unwrap_or_default();
        let title = "Choose a new password";
        let form = if asked.secure { passwords("Set the password") } else { insecure() };
        let body = format!(
            "<h1>{title}</h1>\n<p>for <strong>{account}</strong>. All your devices will ask for the new password.</p>\n\
             {wrong}<section><form method=\"post\">{form}</form></section>\n\
             <p class=\"small\">This works once, until {until}.</p>"
        );
        return page(status, title, domain, &body);
    }
    let (title, lead) = match &invitation.account {
        Some(contact) => {
            let name = contact.local().unwrap_or(contact.as_str());
            let lead = format!(
                "<strong>{}</strong> would like to chat with you over XMPP: open, without advertisements, with the app that you like.",
                escape(contact.as_str())
            );
            (format!("{name} invites you to chat"), lead)
        }
        None => {
            let lead = "With an account you can chat over XMPP: open, without advertisements, with the app that you like.";
            (format!("You are invited to {domain}"), lead.to_owned())
        }
    };
    let uri = escape(&invitation.uri(token));
    let body = format!(
        "<h1>{}</h1>\n<p>{lead}</p>\n{wrong}\
         <section><h2>With an app</h2>\n<p>If you have one already, open the invitation with it:</p>\n\
         <a class=\"button\" href=\"{uri}\">Open the invitation</a>\n\
         <div class=\"qr\">{}</div>\n<p class=\"small\">Or take a picture of this code with the app on your telephone.</p>\n\
         <p>If you have none, take one of these, and then come back to this page:</p>\n{}</section>\n\
         <section><h2>Without an app</h2>\n<p>Make your account here, and log in later with any app.</p>\n{}</section>\n\
         <p class=\"small\">The invitation holds until {until}.</p>",
        escape(&title),
        code(&invitation.uri(token)),
        include_str!("invite_apps.html"),
        if asked.secure { registration(invitation) } else { insecure() },
    );
    page(status, &title, domain, &body)
}

fn insecure() -> String {
    "<p>A password would not be safe on this connection: open this page with <code>https</code>.</p>".into()
}

fn registration(invitation: &Invitation) -> String {
    let domain = escape(&invitation.domain);
    let name = match &invitation.name {
        Some(name) => format!("<p>Your address will be <strong>{}@{domain}</strong>.</p>\n", escape(name)),
        None => format!(
            "<label for=\"name\">Name</label>\n<div class=\"name\"><input id=\"name\" name=\"name\" required maxlength=\"64\" \
             autocomplete=\"username\" autocapitalize=\"none\" spellcheck=\"false\"><span>@{domain}</span></div>\n"
        ),
    };
    format!("<form method=\"post\">\n{name}{}</form>", passwords("Make the account"))
}

fn passwords(button: &str) -> String {
    let field = |id, label| {
        format!(
            "<label for=\"{id}\">{label}</label>\n<input id=\"{id}\" name=\"{id}\" type=\"password\" required minlength=\"8\" \
             maxlength=\"512\" autocomplete=\"new-password\">\n"
        )
    };
    format!(
        "{}{}<button>{button}</button>\n",
        field("password", "Password"),
        field("again", "The password again")
    )
}

/// The code as a picture within the page.
fn code(uri: &str) -> String {
    let Ok(code) = QrCode::new(uri.as_bytes()) else { return String::new() };
    let picture = code.render::<svg::Color<'_>>().module_dimensions(QR_MODULE, QR_MODULE).build();
    // A declaration is nothing for the middle of a page.
    let from = picture.find("<svg").unwrap_or(0);
    picture[from..].replacen("<svg", "<svg role=\"img\" aria-label=\"The invitation as a QR code\"", 1)
}

async fn submitted(
    web: &Web,
    asked: &Asked,
    token: &str,
    invitation: Invitation,
    request: Request<Incoming>,
) -> Response<Body> {
    if !asked.secure || !form::is_own(&request, asked) {
        return Reply::plain(StatusCode::FORBIDDEN, "This form was not sent from its own page.\n");
    }
    let patience = web.shared.http.now().request;
    let fields = match form::read(request, patience).await {
        Ok(fields) => fields,
        Err(status) => return Reply::plain(status, "This form cannot be understood.\n"),
    };
    let again = |status, text: &str| show(asked, &invitation, token, status, Some(text));
    let password = fields.get("password").unwrap_or_default();
    if fields.get("again") != Some(password) {
        return again(StatusCode::BAD_REQUEST, "The two passwords differ.");
    }
    if password.chars().count() < form::PASSWORD_CHARS_MIN {
        return again(StatusCode::BAD_REQUEST, "The password is too short: eight characters at least.");
    }
    let recovers = invitation.purpose == Purpose::Recovery;
    let account = match (recovers, &invitation.account) {
        (true, Some(account)) => account.clone(),
        _ => {
            let name =
                invitation.name.as_deref().or(fields.get("name")).unwrap_or_default().trim().to_owned();
            match Jid::from_parts(Some(&name), &invitation.domain, None) {
                Ok(jid) if jid.local().is_some() => jid.bare(),
                _ => {
                    return again(
                        StatusCode::BAD_REQUEST,
                        "That name is not possible: use letters and digits.",
                    );
                }
            }
        }
    };
    let (password, secret) = (Password::new(password), Password::new(token));
    let query = match recovers {
        true => AccountQuery::Recover { account: account.clone(), password, token: secret },
        false => AccountQuery::Redeem { account: account.clone(), password, token: secret },
    };
    match web.shared.authority.visitor(query, asked.peer).await {
        AccountFound::Done => done(&invitation.domain, account.as_str(), recovers),
        AccountFound::Exists => again(StatusCode::CONFLICT, "That name is taken; choose another one."),
        AccountFound::Refused(why) => again(StatusCode::BAD_REQUEST, why),
        AccountFound::No => over(asked),
        _ => Reply::plain(StatusCode::SERVICE_UNAVAILABLE, "Something went wrong; try again later.\n"),
    }
}

fn done(domain: &str, account: &str, recovers: bool) -> Response<Body> {
    let (title, lead) = match recovers {
        true => ("The new password holds", "Log in with it on all your devices."),
        false => ("Welcome", "Your account is there. In the app, enter this address and your password:"),
    };
    let body = format!(
        "<h1>{title}</h1>\n<p>{lead}</p>\n<section><h2><code>{}</code></h2></section>\n<section><h2>Apps</h2>\n{}</section>",
        escape(account),
        include_str!("invite_apps.html")
    );
    page(StatusCode::OK, title, domain, &body)
}
