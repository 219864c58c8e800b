//! Plain CEL by the `cel` crate: the standard environment shared, facts borrowed through a resolver.

use std::collections::HashMap;
use std::sync::Arc;

use cel::common::types::{CelBool, CelList, CelMap, CelMapKey, CelString};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, Env, Program, Value};

use crate::Outcome;
use crate::engine::Engine;
use crate::expressions::{Asked, in_cel};
use crate::rules::{DENIED_METHOD, Facts, METHODS, PREFIX, Rules};

/// The facts as values of CEL.
pub(crate) struct Named<'f> {
    method: CelString<'f>,
    host: CelString<'f>,
    path: CelString<'f>,
}

impl<'f> Named<'f> {
    fn of(facts: &'f Facts) -> Self {
        Self {
            method: facts.method.as_str().into(),
            host: facts.host.as_str().into(),
            path: facts.path.as_str().into(),
        }
    }
}

impl VariableResolver for Named<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let value: &'b (dyn Val + 'b) = match variable {
            "method" => &self.method,
            "host" => &self.host,
            "path" => &self.path,
            _ => return None,
        };
        Some(CowVal::Borrowed(value))
    }
}

/// One expression over a map from host to rule.
pub(crate) struct OneExpression {
    env: Arc<Env>,
    program: Program,
    rules: CelMap<'static>,
    denies: CelList<'static>,
}

/// The facts, and the rules as data.
struct WithRules<'a> {
    named: &'a Named<'a>,
    engine: &'a OneExpression,
}

impl VariableResolver for WithRules<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        match variable {
            "rules" => Some(CowVal::Borrowed(&self.engine.rules)),
            "denies" => Some(CowVal::Borrowed(&self.engine.denies)),
            other => self.named.resolve(other),
        }
    }
}

impl OneExpression {
    pub(crate) fn load(rules: Rules) -> Outcome<Self> {
        let env = Arc::new(Env::stdlib());
        let program = env.compile(&format!(
            "host in rules && method in rules[host].methods && path.startsWith(rules[host].prefix) && \
             !(method == \"{DENIED_METHOD}\" && denies.exists(prefix, path.startsWith(prefix)))"
        ))?;
        let rule = || {
            let methods = METHODS.map(|method| (key(method), boxed(CelBool::from(true))));
            let methods = CelMap::from(HashMap::from(methods));
            CelMap::from(HashMap::from([
                (key("methods"), boxed(methods)),
                (key("prefix"), boxed(CelString::from(PREFIX))),
            ]))
        };
        let denies: Vec<_> = rules.denied_prefixes().map(|prefix| boxed(CelString::from(prefix))).collect();
        let rules: HashMap<_, _> = rules.hosts().map(|host| (CelMapKey::from(host), boxed(rule()))).collect();
        Ok(Self { env, program, rules: rules.into(), denies: denies.into() })
    }
}

impl Engine for OneExpression {
    type Facts = Facts;
    type Request<'f> = Named<'f>;

    fn prepare<'f>(&self, facts: &'f Facts) -> Option<Named<'f>> {
        Some(Named::of(facts))
    }

    fn allows(&self, named: &Named<'_>) -> bool {
        let resolver = WithRules { named, engine: self };
        let mut context = Context::with_env(Arc::clone(&self.env));
        context.set_variable_resolver(&resolver);
        holds(&self.program, &context)
    }
}

/// A program for each rule, evaluated in turn: the deny rules, then the allow rules up to the first that holds.
pub(crate) struct InTurn {
    env: Arc<Env>,
    denies: Vec<Program>,
    allows: Vec<Program>,
}

impl InTurn {
    pub(crate) fn load(rules: Rules) -> Outcome<Self> {
        let env = Arc::new(Env::stdlib());
        let denies = denies(&env, rules)?;
        let allows: Result<_, _> = rules.hosts().map(|host| env.compile(&allow(&host))).collect();
        Ok(Self { denies, allows: allows?, env })
    }
}

impl Engine for InTurn {
    type Facts = Facts;
    type Request<'f> = Named<'f>;

    fn prepare<'f>(&self, facts: &'f Facts) -> Option<Named<'f>> {
        Some(Named::of(facts))
    }

    fn allows(&self, named: &Named<'_>) -> bool {
        let mut context = Context::with_env(Arc::clone(&self.env));
        context.set_variable_resolver(named);
        !self.denies.iter().any(|program| holds(program, &context))
            && self.allows.iter().any(|program| holds(program, &context))
    }
}

/// The program of the host, found in a map outside of CEL, then the deny rules if they are about the method.
pub(crate) struct Sliced {
    env: Arc<Env>,
    denies: Vec<Program>,
    allows: HashMap<String, Program>,
}

impl Sliced {
    pub(crate) fn load(rules: Rules) -> Outcome<Self> {
        let env = Arc::new(Env::stdlib());
        let denies = denies(&env, rules)?;
        let allows: Outcome<_> =
            rules.hosts().map(|host| Ok((host.clone(), env.compile(&allow(&host))?))).collect();
        Ok(Self { denies, allows: allows?, env })
    }
}

impl Engine for Sliced {
    type Facts = Facts;
    type Request<'f> = Named<'f>;

    fn prepare<'f>(&self, facts: &'f Facts) -> Option<Named<'f>> {
        Some(Named::of(facts))
    }

    fn allows(&self, named: &Named<'_>) -> bool {
        let Some(allow) = self.allows.get(named.host.inner()) else {
            return false;
        };
        let mut context = Context::with_env(Arc::clone(&self.env));
        context.set_variable_resolver(named);
        let denies = if named.method.inner() == DENIED_METHOD { self.denies.as_slice() } else { &[] };
        holds(allow, &context) && !denies.iter().any(|program| holds(program, &context))
    }
}

/// The same expressions as our `when`, evaluated in turn.
pub(crate) struct When {
    env: Arc<Env>,
    programs: Vec<Program>,
}

/// The facts of a call to a model.
pub(crate) struct Model<'f> {
    request: CelMap<'f>,
    llm: CelMap<'f>,
}

impl VariableResolver for Model<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        match variable {
            "request" => Some(CowVal::Borrowed(&self.request)),
            "llm" => Some(CowVal::Borrowed(&self.llm)),
            _ => None,
        }
    }
}

impl When {
    pub(crate) fn load(rules: usize) -> Outcome<Self> {
        let env = Arc::new(Env::stdlib());
        let programs: Result<_, _> = (0..rules).map(|n| env.compile(&in_cel(n))).collect();
        Ok(Self { programs: programs?, env })
    }
}

impl Engine for When {
    type Facts = Asked;
    type Request<'f> = Model<'f>;

    fn prepare<'f>(&self, asked: &'f Asked) -> Option<Model<'f>> {
        let headers: HashMap<CelMapKey<'f>, Box<dyn Val + 'f>> =
            asked.headers().map(|(name, value)| (key(name), boxed(CelString::from(value)))).collect();
        let request = HashMap::from([(key("headers"), boxed(CelMap::from(headers)))]);
        let llm = HashMap::from([
            (key("provider"), boxed(CelString::from(&*asked.model.provider))),
            (key("request_model"), boxed(CelString::from(asked.model()))),
        ]);
        Some(Model { request: request.into(), llm: llm.into() })
    }

    fn allows(&self, model: &Model<'_>) -> bool {
        let mut context = Context::with_env(Arc::clone(&self.env));
        context.set_variable_resolver(model);
        self.programs.iter().any(|program| holds(program, &context))
    }
}

fn holds(program: &Program, context: &Context<'_, '_>) -> bool {
    matches!(program.execute(context), Ok(Value::Bool(true)))
}

fn allow(host: &str) -> String {
    format!("host == \"{host}\" && method in {METHODS:?} && path.startsWith(\"{PREFIX}\")")
}

fn denies(env: &Env, rules: Rules) -> Outcome<Vec<Program>> {
    let deny = |prefix| format!("method == \"{DENIED_METHOD}\" && path.startsWith(\"{prefix}\")");
    let programs: Result<_, _> = rules.denied_prefixes().map(|prefix| env.compile(&deny(prefix))).collect();
    Ok(programs?)
}

fn key(name: &str) -> CelMapKey<'_> {
    CelMapKey::from(name)
}

fn boxed<'v>(value: impl Val + 'v) -> Box<dyn Val + 'v> {
    Box::new(value)
}
