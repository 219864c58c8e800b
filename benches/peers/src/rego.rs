//! Rego by regorus: compiled for its virtual machine, the rules as data.

use std::cell::RefCell;
use std::collections::BTreeMap;

use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::vm::RegoVM;
use regorus::{Engine as Interpreter, Value};
use serde_json::json;

use crate::Outcome;
use crate::engine::Engine;
use crate::expressions::{Asked, family};
use crate::rules::{DENIED_METHOD, Facts, METHODS, PREFIX, Rules};

/// The entry of every policy here.
const ENTRY: &str = "data.creto.allow";

/// How the rule of a host is found in the data.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    /// By the host as its key.
    Keyed,
    /// By going through them all.
    Scan,
}

/// Rules about host, method and path, under the virtual machine.
pub(crate) struct Rego {
    machine: RefCell<RegoVM>,
    keys: Keys,
}

impl Rego {
    pub(crate) fn load(rules: Rules, form: Form) -> Outcome<Self> {
        let (policy, data) = written(rules, form);
        Ok(Self { machine: machine(&policy, data)?, keys: Keys::new() })
    }
}

impl Engine for Rego {
    type Facts = Facts;
    type Request<'f> = Value;

    fn prepare(&self, facts: &Facts) -> Option<Value> {
        Some(self.keys.of(facts))
    }

    fn allows(&self, request: &Value) -> bool {
        let mut machine = self.machine.borrow_mut();
        machine.set_input(request.clone());
        machine.execute().is_ok_and(|value| value == Value::Bool(true))
    }
}

/// The same by the interpreter of the syntax tree.
pub(crate) struct Interpreted {
    interpreter: RefCell<Interpreter>,
    keys: Keys,
}

impl Interpreted {
    pub(crate) fn load(rules: Rules, form: Form) -> Outcome<Self> {
        let (policy, data) = written(rules, form);
        let mut interpreter = interpreter(&policy)?;
        interpreter.add_data(Value::from(data))?;
        Ok(Self { interpreter: RefCell::new(interpreter), keys: Keys::new() })
    }
}

impl Engine for Interpreted {
    type Facts = Facts;
    type Request<'f> = Value;

    fn prepare(&self, facts: &Facts) -> Option<Value> {
        Some(self.keys.of(facts))
    }

    fn allows(&self, request: &Value) -> bool {
        let mut interpreter = self.interpreter.borrow_mut();
        interpreter.set_input(request.clone());
        interpreter.eval_rule(ENTRY.to_owned()).is_ok_and(|value| value == Value::Bool(true))
    }
}

/// Rules of the same four terms as our `when`.
pub(crate) struct When {
    machine: RefCell<RegoVM>,
    keys: [Value; 5],
}

impl When {
    pub(crate) fn load(rules: usize) -> Outcome<Self> {
        let rules = (0..rules).map(|n| {
            format!(
                "allow if {{\n  not input.request.headers[\"x-debug\"]\n  \
                 input.request.headers[\"x-team\"] == \"search\"\n  input.llm.provider == \"models\"\n  \
                 startswith(input.llm.request_model, \"{}\")\n}}\n",
                family(n)
            )
        });
        let policy = head() + &rules.collect::<String>();
        let keys = ["request", "headers", "llm", "provider", "request_model"].map(Value::from);
        Ok(Self { machine: machine(&policy, json!({}))?, keys })
    }
}

impl Engine for When {
    type Facts = Asked;
    type Request<'f> = Value;

    fn prepare(&self, asked: &Asked) -> Option<Value> {
        let [request, headers, llm, provider, request_model] = self.keys.clone();
        let map: BTreeMap<Value, Value> =
            asked.headers().map(|(name, value)| (Value::from(name), Value::from(value))).collect();
        let map = BTreeMap::from([(headers, Value::from(map))]);
        let model = BTreeMap::from([
            (provider, Value::from(&*asked.model.provider)),
            (request_model, Value::from(asked.model())),
        ]);
        Some(Value::from(BTreeMap::from([(request, Value::from(map)), (llm, Value::from(model))])))
    }

    fn allows(&self, request: &Value) -> bool {
        let mut machine = self.machine.borrow_mut();
        machine.set_input(request.clone());
        machine.execute().is_ok_and(|value| value == Value::Bool(true))
    }
}

/// The names of the facts, made once: a value that is copied is a count that is raised.
struct Keys([Value; 3]);

impl Keys {
    fn new() -> Self {
        Self(["method", "host", "path"].map(Value::from))
    }

    fn of(&self, facts: &Facts) -> Value {
        let [method, host, path] = self.0.clone();
        Value::from(BTreeMap::from([
            (method, Value::from(facts.method.as_str())),
            (host, Value::from(facts.host.as_str())),
            (path, Value::from(facts.path.as_str())),
        ]))
    }
}

fn head() -> String {
    "package creto\n\nimport rego.v1\n\ndefault allow := false\n\n".to_owned()
}

fn written(rules: Rules, form: Form) -> (String, serde_json::Value) {
    let found = match form {
        Form::Keyed => "rule := data.rules[input.host]",
        Form::Scan => "some rule in data.rules\n  rule.host == input.host",
    };
    let policy = head()
        + &format!(
            "denied if {{\n  input.method == \"{DENIED_METHOD}\"\n  some prefix in data.denies\n  \
             startswith(input.path, prefix)\n}}\n\n\
             allow if {{\n  {found}\n  rule.methods[input.method]\n  startswith(input.path, rule.prefix)\n  \
             not denied\n}}\n"
        );
    let methods: serde_json::Map<_, _> =
        METHODS.iter().map(|method| ((*method).to_owned(), json!(true))).collect();
    let rule = |host: &str| json!({ "host": host, "methods": methods, "prefix": PREFIX });
    let denies: Vec<_> = rules.denied_prefixes().collect();
    let rules = match form {
        Form::Keyed => rules.hosts().map(|host| (host.clone(), rule(&host))).collect::<serde_json::Value>(),
        Form::Scan => rules.hosts().map(|host| rule(&host)).collect(),
    };
    (policy, json!({ "rules": rules, "denies": denies }))
}

fn interpreter(policy: &str) -> Outcome<Interpreter> {
    let mut interpreter = Interpreter::new();
    interpreter.add_policy("creto.rego".to_owned(), policy.to_owned())?;
    Ok(interpreter)
}

fn machine(policy: &str, data: serde_json::Value) -> Outcome<RefCell<RegoVM>> {
    let compiled = interpreter(policy)?.compile_with_entrypoint(&ENTRY.into())?;
    let program = Compiler::compile_from_policy(&compiled, &[ENTRY]).map_err(|error| error.to_string())?;
    let mut machine = RegoVM::new();
    machine.load_program(program);
    // The default stops a scan of ten thousand.
    machine.set_max_instructions(usize::MAX);
    machine.set_data(Value::from(data)).map_err(|error| error.to_string())?;
    Ok(RefCell::new(machine))
}
