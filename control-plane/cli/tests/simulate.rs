//! `creto policy simulate` and `diff` over calls that a sidecar recorded. Needs creto-proxy and creto-control-plane beside
//! the creto program: `cargo build -p creto-proxy -p creto-control-plane`.
#![forbid(unsafe_code)]
// A panic is a test's failure report.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// An upstream that answers 200 to whatever comes; gives its port.
fn upstream() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    port
}

fn answer(mut stream: TcpStream) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        request.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
        });
        if body.len() >= length.unwrap_or(0) {
            // The agent may have left already.
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            return;
        }
    }
}

/// `creto up` with a sidecar; ended with the test.
struct Up {
    child: Child,
    home: tempfile::TempDir,
    proxy: String,
}

impl Up {
    fn start(policy: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("applied.toml"), policy).unwrap();
        let mut child = creto(home.path())
            .args(["up", "--listen", "127.0.0.1:0", "--agent", "researcher-1", "--policy", "applied.toml"])
            .args(["--proxy-listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--json"])
            .stdout(Stdio::piped())
            .stderr(fs::File::create(home.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let log = || fs::read_to_string(home.path().join("log")).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}{}", log()));
        let proxy = format!("http://{}", said["proxy"].as_str().unwrap());
        Self { child, home, proxy }
    }

    /// Makes a call through the sidecar; gives its status.
    fn call(&self, arguments: &[&str]) -> String {
        let output = Command::new("curl")
            .args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "--noproxy", "", "--proxy", &self.proxy])
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn creto(&self, arguments: &[&str]) -> Output {
        creto(self.home.path()).args(arguments).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.creto(&[arguments, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.home.path().join(name), text).unwrap();
    }

    /// Waits until this many calls are recorded, begin and end.
    fn recorded(&self, count: usize) {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let calls = self.json(&["calls"]);
            let ended = calls.as_array().unwrap().iter().filter(|call| call["outcome"] != "open").count();
            if ended >= count {
                return;
            }
            assert!(Instant::now() < until, "{count} calls are not recorded: {calls}");
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let id = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        let _ = self.child.wait();
    }
}

fn creto(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_creto"));
    command.current_dir(home).env("CRETO_HOME", home).env("NO_COLOR", "1");
    for name in ["CRETO_CONTROL_PLANE", "CRETO_POLICY", "CRETO_AGENT"] {
        command.env_remove(name);
    }
    command
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// The commands of a guide, as words.
fn commands(guide: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(guide);
    let text = fs::read_to_string(path).unwrap();
    let shown = text.lines().map(|line| line.strip_prefix("$ ").unwrap_or(line));
    let commands = shown.filter(|line| line.starts_with("creto policy"));
    commands.map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

#[test]
fn recorded_calls_say_what_a_policy_would_change() {
    let port = upstream();
    let policy = format!(
        "version = 1\nname = \"web\"\n[[allow]]\nname = \"read\"\nhost = \"127.0.0.1\"\nport = {port}\npath = [\"/a/**\", \"/mcp\"]\n"
    );
    let up = Up::start(&policy);
    let url = |path: &str| format!("http://127.0.0.1:{port}{path}");
    let tool =
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","arguments":{"q":1}}}"#;
    assert_eq!(
        up.call(&[&url("/a/1")]),
        "200",
        "{}",
        fs::read_to_string(up.home.path().join("log")).unwrap()
    );
    assert_eq!(up.call(&[&url("/a/2")]), "200");
    assert_eq!(up.call(&["-X", "DELETE", &url("/a/3")]), "200");
    assert_eq!(up.call(&["-H", "content-type: application/json", "-d", tool, &url("/mcp")]), "200");
    assert_eq!(up.call(&[&url("/b")]), "403");
    up.recorded(5);

    // The same document changes nothing.
    let value = up.json(&["policy", "simulate", "applied.toml"]);
    assert_eq!(
        (&value["calls"], &value["same"], &value["groups"]),
        (&5.into(), &5.into(), &serde_json::json!([]))
    );
    assert_eq!(up.creto(&["policy", "simulate", "applied.toml", "--exit-code"]).status.code(), Some(0));

    // A deny rule, and an allow rule for what was refused.
    let candidate = format!(
        "{policy}[[allow]]\nname = \"more\"\nhost = \"127.0.0.1\"\nport = {port}\npath = \"/b\"\n\
         [[deny]]\nname = \"no-deletes\"\nhost = \"*\"\nport = \"any\"\nmethod = \"DELETE\"\n"
    );
    up.write("web.toml", &candidate);
    let value = up.json(&["policy", "simulate", "web.toml"]);
    let counts =
        ["newly_refused", "newly_allowed", "other_rule", "depends", "same"].map(|key| value[key].clone());
    assert_eq!(counts, [1, 1, 0, 0, 3].map(Value::from), "{value}");
    let group = &value["groups"][0];
    assert_eq!(
        (&group["before"], &group["after"]),
        (&"allow web/read".into(), &"deny web/no-deletes".into())
    );
    let id = group["example"].as_str().unwrap();
    let calls = up.json(&["calls"]);
    let example = calls.as_array().unwrap().iter().find(|call| call["call_id"] == id).unwrap();
    assert_eq!(example["method"], "DELETE");
    let output = up.creto(&["policy", "simulate", "web.toml", "--exit-code"]);
    assert_eq!(output.status.code(), Some(1));
    let text = said(&output);
    assert!(text.contains("5 recorded calls: 1 newly refused, 1 newly allowed, 3 the same"), "{text}");

    // What was not recorded is not guessed.
    up.write("args.toml", &format!("{policy}[[deny]]\nname = \"q\"\nhost = \"127.0.0.1\"\nport = {port}\npath = \"/a/**\"\nmethod = \"GET\"\nwhen = 'request.query != \"\"'\n"));
    let value = up.json(&["policy", "simulate", "args.toml"]);
    assert_eq!((&value["depends"], &value["same"]), (&2.into(), &3.into()), "{value}");
    assert_eq!(value["groups"][0]["after"], "unknown: web/q when");

    // Another document does not take the place of the applied one, unless it is the only one.
    up.write("other.toml", "version = 1\nname = \"other\"\n[[allow]]\nname = \"x\"\nhost = \"x.example\"\n");
    assert_eq!(up.json(&["policy", "simulate", "other.toml"])["same"], 5);
    assert_eq!(up.json(&["policy", "simulate", "other.toml", "--only"])["newly_refused"], 4);

    // Bounds and filters.
    let value = up.json(&["policy", "simulate", "web.toml", "--limit", "2"]);
    assert_eq!((&value["calls"], &value["limit_reached"]), (&2.into(), &true.into()));
    assert_eq!(up.json(&["policy", "simulate", "web.toml", "--agent", "nobody"])["calls"], 0);
    assert_eq!(up.creto(&["policy", "simulate", "web.toml", "--limit", "0"]).status.code(), Some(2));
    assert_eq!(up.creto(&["policy", "simulate", "web.toml", "--limit", "1000001"]).status.code(), Some(2));

    // The applied document is the old one of a difference.
    let text = said(&up.creto(&["policy", "diff", "web.toml", "--recorded"]));
    assert!(text.contains("+ deny rule no-deletes: host *; method DELETE; port any"), "{text}");
    assert!(text.contains("1 newly refused, 1 newly allowed, 3 the same"), "{text}");
    let text = said(&up.creto(&["policy", "diff", "other.toml"]));
    assert!(text.contains("no policy other is applied: everything is new"), "{text}");
    assert!(said(&up.creto(&["policy", "diff", "applied.toml"])).contains("web: no change in meaning"));

    // Once it is applied, it changes nothing any more, though the calls were decided otherwise.
    assert!(up.creto(&["policy", "apply", "web.toml"]).status.success());
    let value = up.json(&["policy", "simulate", "web.toml"]);
    assert_eq!((&value["already_applied"], &value["same"]), (&2.into(), &3.into()), "{value}");
}

#[test]
fn every_command_of_the_guide_runs() {
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/test-a-policy.md"))
        .unwrap();
    let blocks: Vec<&str> =
        guide.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let up = Up::start(blocks[0]);
    assert_eq!(up.call(&["-X", "DELETE", "http://b.example/"]), "403");
    up.recorded(1);
    for (name, text) in [("web.toml", blocks[0]), ("old.toml", blocks[0]), ("web.test.toml", blocks[1])] {
        up.write(name, text);
    }
    up.write(
        "models.toml",
        "version = 1\nname = \"models\"\n[[allow]]\nname = \"m\"\nhost = \"m.example\"\n",
    );
    fs::create_dir(up.home.path().join("policies")).unwrap();
    up.write("policies/web.toml", blocks[0]);
    up.write("policies/web.test.toml", blocks[1]);
    let commands = commands("test-a-policy.md");
    assert!(commands.len() >= 12, "{commands:?}");
    for words in commands {
        let words: Vec<&str> = words[1..].iter().map(String::as_str).collect();
        let output = up.creto(&words);
        assert_eq!(output.status.code(), Some(0), "{words:?}: {}", said(&output));
    }
}
