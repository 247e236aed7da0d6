//! Which ssh host keys are trusted: OpenSSH's known_hosts format (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT").
//!
//! libgit2 has a check of its own, but only against `~/.ssh/known_hosts`; the settings name another file.

use aws_lc_rs::{digest, hmac};

/// What known_hosts says of a key that a server presented.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The very key is listed for the host.
    Trusted,
    /// The key is marked `@revoked`.
    Revoked,
    /// Another key of the same type is listed: the key was changed, or this is not the host.
    Changed,
    /// Only keys of other types are listed, as `ssh-ed25519`.
    OtherTypes(Vec<String>),
    /// The host is not listed.
    Unknown,
}

/// Looks up the key that `host` presented on `port`, `key` being its wire form. There is no trust on first use.
pub(super) fn check(known_hosts: &str, host: &str, port: u16, key: &[u8]) -> Verdict {
    let name = if port == 22 { host.to_ascii_lowercase() } else { format!("[{}]:{port}", host.to_ascii_lowercase()) };
    let (presented, presented_type) = (base64(key), key_type(key));
    let mut listed = Vec::new();
    let mut trusted = false;
    for line in known_hosts.lines() {
        let mut words = line.split_ascii_whitespace();
        let Some(first) = words.next().filter(|word| !word.starts_with('#')) else { continue };
        let (marker, hosts) = if first.starts_with('@') { (first, words.next()) } else { ("", Some(first)) };
        let (Some(hosts), Some(kind), Some(listed_key)) = (hosts, words.next(), words.next()) else { continue };
        if !names(hosts, &name) {
            continue;
        }
        let same = listed_key.trim_end_matches('=') == presented;
        match marker {
            "@revoked" if same => return Verdict::Revoked,
            "" if same => trusted = true,
            "" => listed.push(kind.to_owned()),
            // Host certificates are not spoken by libssh2: their authorities vouch for nothing here.
            _ => {}
        }
    }
    match listed.is_empty() {
        _ if trusted => Verdict::Trusted,
        true => Verdict::Unknown,
        false if listed.contains(&presented_type) => Verdict::Changed,
        false => Verdict::OtherTypes(listed),
    }
}

/// `SHA256:…`, as ssh-keygen and the providers' pages print it.
pub(super) fn fingerprint(key: &[u8]) -> String {
    format!("{} SHA256:{}", key_type(key), base64(digest::digest(&digest::SHA256, key).as_ref()))
}

/// The type that stands at the beginning of a key: a length in 4 bytes, then the name (RFC 4253, 6.6).
pub(super) fn key_type(key: &[u8]) -> String {
    let name = key.split_first_chunk::<4>().and_then(|(length, rest)| rest.get(..u32::from_be_bytes(*length) as usize));
    name.and_then(|name| str::from_utf8(name).ok()).filter(|name| name.len() < 100).unwrap_or("unknown").to_owned()
}

/// Whether the first field of a line means `name`: a hash, or patterns with `*`, `?` and a leading `!`.
fn names(field: &str, name: &str) -> bool {
    if let Some(hashed) = field.strip_prefix("|1|") {
        let Some((salt, hash)) = hashed.split_once('|') else { return false };
        let (Some(salt), Some(hash)) = (from_base64(salt), from_base64(hash)) else { return false };
        // SHA-1 is what the format prescribes; it hides host names here and protects no key.
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &salt);
        return hmac::verify(&key, name.as_bytes(), &hash).is_ok();
    }
    let mut matched = false;
    for pattern in field.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if like(pattern.to_ascii_lowercase().as_bytes(), name.as_bytes()) => return false,
            Some(_) => {}
            None => matched |= like(pattern.to_ascii_lowercase().as_bytes(), name.as_bytes()),
        }
    }
    matched
}

/// Glob match with `*` and `?`, going back to the last star only: linear in practice, never exponential.
fn like(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((star_p, star_t)) = star else { return false };
                star = Some((star_p, star_t + 1));
                p = star_p + 1;
                t = star_t + 1;
            }
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 without padding.
fn base64(bytes: &[u8]) -> String {
    let digits = bytes.chunks(3).flat_map(|chunk| {
        let word = chunk.iter().fold(0u32, |word, &byte| word << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        (0..=chunk.len()).map(move |digit| char::from(ALPHABET[(word >> (18 - 6 * digit) & 63) as usize]))
    });
    digits.collect()
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut word, mut bits) = (0u32, 0);
    for digit in text.trim_end_matches('=').bytes() {
        let value = ALPHABET.iter().position(|&c| c == digit)?;
        word = (word << 6 | u32::try_from(value).ok()?) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(word >> bits & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: &str, tail: &[u8]) -> Vec<u8> {
        let length = u32::try_from(kind.len()).expect("short");
        [&length.to_be_bytes(), kind.as_bytes(), tail].concat()
    }

    fn hashed(name: &str) -> String {
        let salt = b"01234567890123456789";
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt), name.as_bytes());
        format!("|1|{}=|{}=", base64(salt), base64(tag.as_ref()))
    }

    #[test]
    fn verdicts() {
        let ours = key("ssh-ed25519", b"ours");
        let b64 = base64(&ours);
        let other = base64(&key("ssh-ed25519", b"other"));
        let rsa = base64(&key("ssh-rsa", b"r"));
        let rsa_only = Verdict::OtherTypes(vec!["ssh-rsa".into()]);
        for (text, host, port, verdict) in [
            (format!("github.com ssh-ed25519 {b64} comment"), "github.com", 22, Verdict::Trusted),
            (format!("# a comment\n\nGitHub.com,140.82.121.4 ssh-ed25519 {b64}=="), "github.COM", 22, Verdict::Trusted),
            (format!("*.acme.io ssh-ed25519 {b64}"), "git.acme.io", 22, Verdict::Trusted),
            (format!("*.acme.io,!git.acme.io ssh-ed25519 {b64}"), "git.acme.io", 22, Verdict::Unknown),
            (format!("git?.acme.io ssh-ed25519 {b64}"), "git1.acme.io", 22, Verdict::Trusted),
            (format!("[acme.io]:2222 ssh-ed25519 {b64}"), "acme.io", 2222, Verdict::Trusted),
            (format!("acme.io ssh-ed25519 {b64}"), "acme.io", 2222, Verdict::Unknown),
            (format!("[acme.io]:2222 ssh-ed25519 {b64}"), "acme.io", 22, Verdict::Unknown),
            (format!("{} ssh-ed25519 {b64}", hashed("github.com")), "github.com", 22, Verdict::Trusted),
            (format!("{} ssh-ed25519 {b64}", hashed("[github.com]:443")), "github.com", 443, Verdict::Trusted),
            (format!("{} ssh-ed25519 {b64}", hashed("gitlab.com")), "github.com", 22, Verdict::Unknown),
            (format!("{} ssh-ed25519 {other}", hashed("github.com")), "github.com", 22, Verdict::Changed),
            (format!("github.com ssh-ed25519 {other}"), "github.com", 22, Verdict::Changed),
            (
                format!("github.com ssh-ed25519 {other}\ngithub.com ssh-ed25519 {b64}"),
                "github.com",
                22,
                Verdict::Trusted,
            ),
            (format!("github.com ssh-rsa {rsa}"), "github.com", 22, rsa_only),
            (format!("github.com ssh-ed25519 {b64}\n@revoked * ssh-ed25519 {b64}"), "github.com", 22, Verdict::Revoked),
            (format!("@cert-authority github.com ssh-ed25519 {b64}"), "github.com", 22, Verdict::Unknown),
            (
                "|1|bad ssh-ed25519 x\n|1|*|* a b\ngithub.com\ngithub.com ssh-rsa".into(),
                "github.com",
                22,
                Verdict::Unknown,
            ),
            (String::new(), "github.com", 22, Verdict::Unknown),
        ] {
            assert_eq!(check(&text, host, port, &ours), verdict, "{text}");
        }
    }

    #[test]
    fn base64_goes_both_ways() {
        for (bytes, text) in [(&b""[..], ""), (b"f", "Zg"), (b"fo", "Zm8"), (b"foo", "Zm9v"), (&[0, 255, 62], "AP8+")] {
            assert_eq!(base64(bytes), text);
            assert_eq!(from_base64(text).as_deref(), Some(bytes));
        }
        assert_eq!(from_base64("a*b"), None);
    }

    /// Against what OpenSSH itself writes and prints.
    #[test]
    fn as_openssh_has_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| folder.path().join(name);
        let keygen = |arguments: &[&str]| {
            let output = std::process::Command::new("ssh-keygen").args(arguments).output();
            output
                .ok()
                .filter(|output| output.status.success())
                .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let private = file("key").display().to_string();
        let Some(_) = keygen(&["-q", "-t", "ed25519", "-N", "", "-f", &private]) else {
            eprintln!("skipped: no ssh-keygen here");
            return;
        };
        let public = std::fs::read_to_string(file("key.pub")).expect("a public key");
        let key = from_base64(public.split(' ').nth(1).expect("a key")).expect("base64");
        std::fs::write(file("known_hosts"), format!("git.acme.io {public}[git.acme.io]:2222 {public}"))
            .expect("written");
        keygen(&["-H", "-f", &file("known_hosts").display().to_string()]).expect("hashed");
        let known = std::fs::read_to_string(file("known_hosts")).expect("known_hosts");
        assert!(known.starts_with("|1|"), "{known}");
        assert_eq!(check(&known, "git.acme.io", 22, &key), Verdict::Trusted);
        assert_eq!(check(&known, "git.acme.io", 2222, &key), Verdict::Trusted);
        assert_eq!(check(&known, "git.acme.com", 22, &key), Verdict::Unknown);
        let printed = keygen(&["-l", "-f", &private]).expect("a fingerprint");
        assert!(printed.contains(fingerprint(&key).trim_start_matches("ssh-ed25519 ")), "{printed}");
    }
}
