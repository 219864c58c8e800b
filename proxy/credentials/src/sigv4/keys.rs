//! The keys of an AWS account: JSON, or the file that AWS tools write.

use zeroize::Zeroizing;

use crate::{ValueFault, oauth::Fields};

/// Names of each key, in JSON of ours, of STS and `credential_process`, and in credentials files.
const ID: [&str; 3] = ["access_key_id", "AccessKeyId", "aws_access_key_id"];
const SECRET: [&str; 3] = ["secret_access_key", "SecretAccessKey", "aws_secret_access_key"];
const TOKEN: [&str; 4] = ["session_token", "SessionToken", "Token", "aws_session_token"];
/// The section of a credentials file if none is named.
const DEFAULT_PROFILE: &str = "default";

/// An access key, with a session token if it is a temporary one.
pub(crate) struct AwsKeys {
    id: String,
    secret: Zeroizing<String>,
    token: Option<Zeroizing<String>>,
}

impl AwsKeys {
    pub(crate) fn read(secret: &[u8], profile: Option<&str>) -> Result<Self, ValueFault> {
        let text = std::str::from_utf8(secret).map_err(|_| ValueFault::NotAwsKeys)?;
        let keys = if text.trim_start().starts_with('{') {
            Self::from_json(text)
        } else {
            Self::from_ini(text, profile.unwrap_or(DEFAULT_PROFILE))
        };
        keys.filter(|keys| is_key_id(&keys.id)).ok_or(ValueFault::NotAwsKeys)
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn secret_access_key(&self) -> &[u8] {
        self.secret.as_bytes()
    }

    pub(crate) fn session_token(&self) -> Option<&[u8]> {
        self.token.as_ref().map(|token| token.as_bytes())
    }

    fn from_json(text: &str) -> Option<Self> {
        let mut fields = Fields::read(text)?;
        let mut take = |names: &[&str]| names.iter().find_map(|name| fields.take(name));
        let id = take(&ID)?.to_string();
        Some(Self { id, secret: take(&SECRET)?, token: take(&TOKEN) })
    }

    fn from_ini(text: &str, profile: &str) -> Option<Self> {
        let (mut id, mut secret, mut token) = (None, None, None);
        let mut inside = false;
        for line in text.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                let name = name.trim();
                // `config` writes `[profile x]`, `credentials` writes `[x]`.
                inside = name == profile
                    || name.strip_prefix("profile ").is_some_and(|name| name.trim_start() == profile);
                continue;
            }
            if !inside || line.starts_with(['#', ';']) {
                continue;
            }
            let Some((name, value)) = line.split_once('=') else { continue };
            let value = value.trim();
            if value.is_empty() {
                continue;
            }
            match name.trim().to_ascii_lowercase().as_str() {
                "aws_access_key_id" => id = Some(value.to_owned()),
                "aws_secret_access_key" => secret = Some(Zeroizing::new(value.to_owned())),
                "aws_session_token" => token = Some(Zeroizing::new(value.to_owned())),
                _ => {}
            }
        }
        Some(Self { id: id?, secret: secret?, token })
    }
}

/// It stands in a header between commas and slashes.
fn is_key_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# comment
[default]
aws_access_key_id = AKIDEFAULT
aws_secret_access_key=default/secret+key

[profile batch]
aws_access_key_id=AKIBATCH
; aws_secret_access_key=old
AWS_SECRET_ACCESS_KEY = batch/secret=key
aws_session_token = token==
region = eu-west-1
";

    #[test]
    fn a_credentials_file_is_read_by_profile() {
        let keys = AwsKeys::read(FILE.as_bytes(), None).unwrap();
        assert_eq!((keys.id(), keys.secret_access_key()), ("AKIDEFAULT", &b"default/secret+key"[..]));
        assert_eq!(keys.session_token(), None);
        let keys = AwsKeys::read(FILE.as_bytes(), Some("batch")).unwrap();
        assert_eq!((keys.id(), keys.secret_access_key()), ("AKIBATCH", &b"batch/secret=key"[..]));
        assert_eq!(keys.session_token(), Some(&b"token=="[..]));
        assert_eq!(AwsKeys::read(FILE.as_bytes(), Some("other")).err(), Some(ValueFault::NotAwsKeys));
    }

    #[test]
    fn json_is_read_in_our_spelling_and_in_that_of_aws() {
        let ours = br#"{"access_key_id":"AKID","secret_access_key":"s3cr3t","session_token":"t"}"#;
        let theirs = br#"{"Version":1,"AccessKeyId":"AKID","SecretAccessKey":"s3cr3t","SessionToken":"t"}"#;
        for json in [&ours[..], theirs] {
            let keys = AwsKeys::read(json, None).unwrap();
            assert_eq!((keys.id(), keys.secret_access_key()), ("AKID", &b"s3cr3t"[..]));
            assert_eq!(keys.session_token(), Some(&b"t"[..]));
        }
        for bad in [
            &b"{}"[..],
            b"{",
            b"",
            b"AKID:secret",
            b"\xff",
            br#"{"access_key_id":"A,B","secret_access_key":"s"}"#,
        ] {
            assert_eq!(AwsKeys::read(bad, None).err(), Some(ValueFault::NotAwsKeys));
        }
    }
}
