// Passkeys: signing in, confirming who is there, adding one. In a browser without WebAuthn, and at an address without a
// name, this file does nothing, and the pages are the plain forms they were. Nothing here decides anything: the gateway does.
"use strict";

(() => {
  const page = document.querySelector("[data-passkeys]");
  const isNumeric = /^[\d.]+$|^\[/.test(location.hostname);
  if (!page || isNumeric || !window.PublicKeyCredential || !navigator.credentials) return;

  // ---- What WebAuthn speaks, as JSON and back; by hand where the browser does not do it itself.

  const toBytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const toText = (buffer) =>
    btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join(""))
      .replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
  const withBytes = (list) => list?.map((credential) => ({ ...credential, id: toBytes(credential.id) }));

  function requestOptions(json) {
    if (PublicKeyCredential.parseRequestOptionsFromJSON) return PublicKeyCredential.parseRequestOptionsFromJSON(json);
    return { ...json, challenge: toBytes(json.challenge), allowCredentials: withBytes(json.allowCredentials) };
  }

  function creationOptions(json) {
    if (PublicKeyCredential.parseCreationOptionsFromJSON) return PublicKeyCredential.parseCreationOptionsFromJSON(json);
    const user = { ...json.user, id: toBytes(json.user.id) };
    return { ...json, user, challenge: toBytes(json.challenge), excludeCredentials: withBytes(json.excludeCredentials) };
  }

  function answerOf(credential) {
    try {
      return credential.toJSON();
    } catch {
      // Old browsers have no toJSON, and some password managers a broken one.
      const { id, rawId, type, authenticatorAttachment, response } = credential;
      const answer = {};
      for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
        if (response[name]) answer[name] = toText(response[name]);
      }
      if (response.getTransports) answer.transports = response.getTransports();
      const clientExtensionResults = credential.getClientExtensionResults();
      return { id, rawId: toText(rawId), type, authenticatorAttachment, clientExtensionResults, response: answer };
    }
  }

  /** Whether this device itself can make a passkey. */
  const canThisDevice = () =>
    Promise.resolve(PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable?.()).catch(() => false);
  const capabilities = () => Promise.resolve(PublicKeyCredential.getClientCapabilities?.()).catch(() => undefined);

  // ---- The gateway.

  /** What the gateway says if it does not do what was asked. */
  class Refused extends Error {
    constructor({ code, message, ref }) {
      super(message ?? "Something went wrong on our side. Please try again in a moment.");
      Object.assign(this, { name: "Refused", code: code ?? "unreadable", ref });
    }
  }

  const TOO_MANY = { code: "too_many_attempts", message: "Too many tries. Please wait a moment, or use your password." };

  async function post(what, fields, signal) {
    let response;
    try {
      response = await fetch(`${page.dataset.api}/${what}`, {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRF-Token": page.dataset.csrf },
        body: JSON.stringify(fields),
        redirect: "error",
        signal,
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      const message = "There is no connection. Your passkey was not used up: try again when you’re back online.";
      throw new Refused({ code: "offline", message });
    }
    const said = await response.json().catch(() => ({}));
    if (response.ok) return said;
    // It may be a server in front of us that has had enough, in words of its own.
    throw new Refused(response.status === 429 ? { ...TOO_MANY, ...said } : said);
  }

  /** Tells the password manager what is still good here. Its promises say nothing, and nobody waits for them long. */
  async function tell(signal) {
    if (!signal) return;
    const { rpId, userId, allAcceptedCredentialIds, name, displayName } = signal;
    const calls = [
      () => PublicKeyCredential.signalAllAcceptedCredentials?.({ rpId, userId, allAcceptedCredentialIds }),
      () => PublicKeyCredential.signalCurrentUserDetails?.({ rpId, userId, name, displayName }),
    ];
    const told = Promise.allSettled(calls.map(async (call) => call()));
    await Promise.race([told, new Promise((resolve) => setTimeout(resolve, 500))]);
  }

  const tellUnknown = (rpId, credentialId) =>
    PublicKeyCredential.signalUnknownCredential?.({ rpId, credentialId })?.catch?.(() => {});

  // ---- One request at a time: what is pending is aborted, and has ended, before another begins.

  let pending = null;

  async function alone(work) {
    while (pending) {
      pending.controller.abort();
      await pending.ended;
    }
    const controller = new AbortController();
    const mine = { controller };
    pending = mine;
    const running = work(controller.signal);
    const clear = () => {
      if (pending === mine) pending = null;
    };
    mine.ended = running.then(clear, clear);
    return running;
  }

  /** Both halves of a ceremony before the gateway's verdict: its challenge, and the authenticator's answer to it. */
  const ask = (purpose, { fields = {}, mediation, begun = () => {} } = {}) =>
    alone(async (signal) => {
      const challenge = await post(`${purpose}/begin`, fields, signal);
      begun(challenge);
      const { options } = challenge;
      const credential =
        purpose === "add"
          ? await navigator.credentials.create({ publicKey: creationOptions(options), signal })
          : await navigator.credentials.get({ publicKey: requestOptions(options), mediation, signal });
      return { purpose, challenge, credential };
    });

  /** The gateway's verdict; if it is good, the browser goes on to where it says. */
  async function finish({ purpose, challenge, credential }, fields) {
    const rpId = challenge.options.rpId ?? challenge.options.rp?.id;
    try {
      const answer = answerOf(credential);
      const done = await post(`${purpose}/finish`, { ceremony: challenge.ceremony, answer, ...fields });
      await tell(done.signal);
      leaving = true;
      location.assign(done.location);
    } catch (error) {
      const unused = purpose === "add" && error.code && !KEPT.includes(error.code);
      if (unused || error.code === "unknown_credential") tellUnknown(rpId, credential.id);
      throw error;
    }
  }

  /** After these the new passkey may be registered all the same. */
  const KEPT = ["already_registered", "offline", "storage", "unreadable"];

  let busy = false;
  let leaving = false;

  /** What a button does: one ceremony, once more if its challenge has run out meanwhile, and words if it fails. */
  async function run(button, purpose, { fields, more = () => ({}), after = () => {} } = {}) {
    if (busy) return;
    busy = true;
    button.setAttribute("aria-busy", "true");
    hideTrouble(button);
    try {
      for (let attempt = 1; ; attempt += 1) {
        try {
          await finish(await ask(purpose, { fields }), more());
          break;
        } catch (error) {
          if (error.code !== "ceremony_expired" || attempt === 2) throw error;
        }
      }
    } catch (error) {
      showTrouble(error, purpose);
      box.focus();
    } finally {
      busy = false;
      button.removeAttribute("aria-busy");
    }
    if (!leaving) after();
  }

  // ---- Words. The browser tells little of why, so they cover all that it may have been.

  const orPassword = page.elements?.password ? ", or use your password" : "";
  const TRY_AGAIN = "Something went wrong with the passkey. Please try again.";
  const WORDS = {
    "sign-in": { NotAllowedError: `The passkey prompt was closed, or it took too long. You can try again${orPassword}.` },
    "step-up": { NotAllowedError: `We need to know it’s you, and the passkey prompt was closed or took too long. You can try again${orPassword}.` },
    add: {
      NotAllowedError: "No passkey was added. The prompt was closed, or it took too long. Check that your device has a screen lock, or your security key a PIN, and try again.",
      InvalidStateError: "This device or password manager already has a passkey for your account. You don’t need another one here.",
      ConstraintError: "This security key can’t keep a passkey that checks it’s you. Set a PIN on it, or use your phone or computer instead.",
      NotSupportedError: "This device can’t make the kind of passkey we accept. Another device may.",
    },
    any: { SecurityError: `Passkeys aren’t set up correctly for this address. Please ${page.elements?.password ? "use your password, and " : ""}tell the people who run this site.` },
  };
  const DOING = { "sign-in": "signing in", "step-up": "confirming it’s me", add: "adding a passkey" };

  const box = document.getElementById("passkey-trouble");

  /** `next` gets the focus that would be lost with the box. */
  function hideTrouble(next) {
    if (next && box.contains(document.activeElement)) next.focus();
    box.hidden = true;
    box.removeAttribute("role");
  }

  function showTrouble(error, purpose) {
    if (error.name === "AbortError") return;
    if (error.code === "reauth_required" && page.dataset.again) return location.assign(page.dataset.again);
    if (error.code === "account_switched_off" && page.action) {
      const query = new URLSearchParams({ come_back: "1", return_to: field("return_to").value });
      return location.assign(`${page.getAttribute("action")}?${query}`);
    }
    const fromUs = error instanceof Refused;
    const words = fromUs ? error.message : (WORDS[purpose][error.name] ?? WORDS.any[error.name] ?? TRY_AGAIN);
    box.querySelector("p").textContent = words;
    box.setAttribute("role", "alert");
    box.hidden = false;
    box.scrollIntoView({ block: "nearest" });
    describe({ purpose, words, cause: fromUs ? error.code : error.name, reference: error.ref });
    // So that whoever runs the site sees it in the log, and support finds it there.
    if (!fromUs) {
      post("trouble", { purpose, name: error.name })
        .then(({ ref }) => describe({ purpose, words, cause: error.name, reference: ref }))
        .catch(() => {});
    }
  }

  // What support asks for, and nothing that must stay secret.
  let details = "";

  function describe({ purpose, words, cause, reference }) {
    details = [
      `What I was doing: ${DOING[purpose]}`,
      `Message: ${words}`,
      `Cause: ${cause}`,
      `Reference: ${reference ?? "none"}`,
      `Time: ${new Date().toISOString()}`,
      `Page: ${location.origin}${location.pathname}`,
      `Browser: ${navigator.userAgent}`,
      "Does my password work? (please fill in)",
    ].join("\n");
    const line = box.querySelector("[data-reference]");
    line.hidden = !reference;
    line.lastElementChild.textContent = reference ?? "";
    const copy = box.querySelector("[data-do=copy]");
    copy.textContent = "Copy details for support";
    box.querySelector("textarea").hidden = true;
  }

  async function copyDetails(button) {
    try {
      await navigator.clipboard.writeText(details);
      button.textContent = "Copied";
    } catch {
      const field = box.querySelector("textarea");
      field.value = details;
      field.hidden = false;
      field.select();
    }
  }

  function onTrouble(actions) {
    box?.addEventListener("click", ({ target }) => {
      const name = target.dataset?.do;
      if (name === "copy") copyDetails(target);
      else actions[name]?.();
    });
  }

  // ---- The pages.

  const field = (name) => page.elements?.[name];

  /** The sign-in page: a button, passkeys among the suggestions for the name, and the two steps. */
  function signInPage() {
    const button = page.querySelector("[data-do=passkey]");
    const ready = { value: false };
    canThisDevice().then((can) => {
      ready.value = can === true;
      field("passkey_ready").value = can ? "1" : "";
    });
    const more = () => ({
      remember: field("remember").checked,
      shared: field("shared")?.checked ?? false,
      return_to: field("return_to").value,
      passkey_ready: ready.value,
      come_back: field("come_back")?.value === "1",
    });
    if (!field("password")) return passkeyOnly(button, "sign-in", more);
    const autofill = suggestions(more);
    const start = () => run(button, "sign-in", { more, after: autofill });
    button.addEventListener("click", start);
    page.querySelector(".ways").hidden = false;
    const { usePassword } = steps();
    onTrouble({ again: start, password: usePassword });
    if (new URLSearchParams(location.search).get("passkey") === "true") button.focus();
    autofill();
  }

  /** Passkeys among the browser's suggestions. Armed again before the challenge runs out; says nothing if it fails. */
  function suggestions(more) {
    let timer = 0;
    let armedUntil = 0;
    const arm = async () => {
      const able = (await capabilities())?.conditionalGet
        ?? (await PublicKeyCredential.isConditionalMediationAvailable?.().catch(() => false));
      if (!able || busy || leaving) return;
      let chosen;
      try {
        const begun = ({ lifetime_seconds: seconds }) => {
          armedUntil = Date.now() + seconds * 500;
          timer = setTimeout(arm, seconds * 800);
        };
        chosen = await ask("sign-in", { mediation: "conditional", begun });
      } catch {
        return;
      } finally {
        clearTimeout(timer);
      }
      hideTrouble();
      await finish(chosen, more()).catch((error) => {
        showTrouble(error, "sign-in");
        // Not at once: a device that answers by itself would answer for ever.
        field("username").addEventListener("focus", arm, { once: true });
      });
    };
    addEventListener("pageshow", ({ persisted }) => {
      if (!persisted) return;
      leaving = false;
      arm();
    });
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible" && Date.now() > armedUntil) arm();
    });
    return arm;
  }

  /**
   * First the name, then how to go on; the second step is the same for every name. The password field stays where the
   * keyboard and password managers find it: whoever goes there has chosen.
   */
  function steps() {
    const [name, password] = [field("username"), field("password")];
    const [submit, passkey] = ["button.main", "[data-do=passkey]"].map((what) => page.querySelector(what));
    const last = submit.textContent;
    const go = (step) => {
      page.dataset.step = step;
      password.required = step === "password";
      submit.textContent = step === "password" ? last : "Continue";
      name.tabIndex = page.dataset.named && step !== "name" ? -1 : 0;
      page.querySelector("bdi").textContent = name.value;
      // The focus goes there, past the line that says who is meant.
      if (step === "choose") passkey.setAttribute("aria-describedby", "whom");
      else passkey.removeAttribute("aria-describedby");
    };
    const usePassword = () => {
      go("password");
      (name.value ? password : name).focus();
    };
    const changeName = () => {
      delete page.dataset.named;
      go("name");
      name.select();
    };
    password.addEventListener("focus", () => page.dataset.step !== "password" && go("password"));
    page.querySelector("[data-do=password]").addEventListener("click", usePassword);
    page.querySelector("[data-do=rename]").addEventListener("click", (event) => {
      event.preventDefault();
      history.state?.named ? history.back() : changeName();
    });
    page.addEventListener("submit", (event) => {
      // A password manager may have filled in both.
      if (page.dataset.step === "password" || password.value) return;
      event.preventDefault();
      page.dataset.named = "yes";
      history.pushState({ named: true }, "");
      go("choose");
      passkey.focus();
    });
    addEventListener("popstate", changeName);
    go(page.dataset.step || "name");
    return { usePassword };
  }

  /** The page that asks a member to confirm who they are. */
  function stepUpPage() {
    const button = page.querySelector("[data-do=passkey]");
    const more = () => ({ return_to: field("return_to").value });
    if (!field("password")) return passkeyOnly(button, "step-up", more);
    const start = () => run(button, "step-up", { more });
    button.addEventListener("click", start);
    page.querySelector(".ways").hidden = false;
    onTrouble({ again: start, password: () => field("password").focus() });
  }

  /** A page on which there is no other way. */
  function passkeyOnly(button, purpose, more) {
    const start = () => run(button, purpose, { more });
    button.addEventListener("click", start);
    page.querySelector("[data-unable]").hidden = true;
    page.querySelector(".ways").hidden = false;
    onTrouble({ again: start });
    button.focus();
  }

  /** The page that adds one: what this browser can't do is not offered. */
  async function addPage() {
    page.querySelector("[data-unable]").hidden = true;
    const more = () => ({ return_to: page.dataset.returnTo });
    let last = null;
    const start = (button) => {
      last = button;
      return run(button, "add", { fields: { place: button.dataset.place }, more });
    };
    const buttons = page.querySelectorAll("[data-place]");
    for (const button of buttons) button.addEventListener("click", () => start(button));
    onTrouble({ again: () => last && start(last) });
    const [here, known] = await Promise.all([canThisDevice(), capabilities()]);
    const can = { "this-device": here, phone: known?.hybridTransport !== false, "security-key": true };
    let isFirst = true;
    for (const button of buttons) {
      button.hidden = !can[button.dataset.place];
      button.classList.toggle("main", isFirst && !button.hidden);
      isFirst &&= button.hidden;
    }
    page.querySelector("[data-no-lock]").hidden = here;
    page.querySelector("[data-places]").hidden = false;
  }

  const PAGES = {
    "sign-in": signInPage,
    "step-up": stepUpPage,
    add: addPage,
    list: () => tell(JSON.parse(page.dataset.signal || "null")),
  };
  PAGES[page.dataset.passkeys]();
})();
