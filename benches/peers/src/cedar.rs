//! Cedar: the method is the action, the host the resource, the path stands in the context.

use std::collections::HashMap;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityId, EntityTypeName, EntityUid, Policy, PolicyId,
    PolicySet, Request, RestrictedExpression,
};

use crate::Outcome;
use crate::engine::Engine;
use crate::expressions::{Asked, family};
use crate::rules::{DENIED_METHOD, Facts, METHODS, PREFIX, Rules};

/// What requests are made of, and the authorizer.
struct Maker {
    authorizer: Authorizer,
    entities: Entities,
    principal: EntityUid,
    actions: Vec<(&'static str, EntityUid)>,
    host: EntityTypeName,
}

impl Maker {
    fn new() -> Outcome<Self> {
        let action: EntityTypeName = "Action".parse()?;
        let actions = ["GET", "POST", "PUT", "DELETE"]
            .map(|name| (name, EntityUid::from_type_name_and_id(action.clone(), EntityId::new(name))));
        Ok(Self {
            authorizer: Authorizer::new(),
            entities: Entities::empty(),
            principal: "Agent::\"bench\"".parse()?,
            actions: actions.into(),
            host: "Host".parse()?,
        })
    }

    fn request(&self, method: &str, host: &str, context: Context) -> Option<Request> {
        let (_, action) = self.actions.iter().find(|(name, _)| *name == method)?;
        let resource = EntityUid::from_type_name_and_id(self.host.clone(), EntityId::new(host));
        Request::new(self.principal.clone(), action.clone(), resource, context, None).ok()
    }

    fn of(&self, facts: &Facts) -> Option<Request> {
        self.request(&facts.method, &facts.host, Context::from_pairs([text("path", &facts.path)]).ok()?)
    }

    fn allows(&self, request: &Request, policies: &PolicySet) -> bool {
        self.authorizer.is_authorized(request, policies, &self.entities).decision() == Decision::Allow
    }
}

/// Every policy is evaluated: what the library does by itself.
pub(crate) struct Cedar {
    maker: Maker,
    policies: PolicySet,
}

impl Cedar {
    pub(crate) fn load(rules: Rules) -> Outcome<Self> {
        let text: String = rules.hosts().map(|host| permit(&host)).chain([forbids(rules)]).collect();
        Ok(Self { maker: Maker::new()?, policies: text.parse()? })
    }
}

impl Engine for Cedar {
    type Facts = Facts;
    type Request<'f> = Request;

    fn prepare(&self, facts: &Facts) -> Option<Request> {
        self.maker.of(facts)
    }

    fn allows(&self, request: &Request) -> bool {
        self.maker.allows(request, &self.policies)
    }
}

/// Only the policies whose scope means the resource and the action: the slice that services around the library pick
/// beforehand.
pub(crate) struct Sliced {
    maker: Maker,
    slices: HashMap<String, Slices>,
}

/// The slices of one host.
struct Slices {
    /// For the action that policies forbid.
    denied: PolicySet,
    /// For every other.
    others: PolicySet,
}

impl Sliced {
    pub(crate) fn load(rules: Rules) -> Outcome<Self> {
        let forbids: PolicySet = forbids(rules).parse()?;
        let mut slices = HashMap::new();
        for host in rules.hosts() {
            let permit = Policy::parse(Some(PolicyId::new("allow")), permit(&host))?;
            let mut denied = forbids.clone();
            denied.add(permit.clone())?;
            slices.insert(host, Slices { denied, others: PolicySet::from_policies([permit])? });
        }
        Ok(Self { maker: Maker::new()?, slices })
    }
}

impl Engine for Sliced {
    type Facts = Facts;
    type Request<'f> = (&'f Facts, Request);

    fn prepare<'f>(&self, facts: &'f Facts) -> Option<(&'f Facts, Request)> {
        Some((facts, self.maker.of(facts)?))
    }

    fn allows(&self, (facts, request): &(&Facts, Request)) -> bool {
        let Some(slices) = self.slices.get(&facts.host) else {
            return false;
        };
        let policies = if facts.method == DENIED_METHOD { &slices.denied } else { &slices.others };
        self.maker.allows(request, policies)
    }
}

/// Policies with a `when` of the same four terms.
pub(crate) struct When {
    maker: Maker,
    policies: PolicySet,
}

impl When {
    pub(crate) fn load(rules: usize) -> Outcome<Self> {
        let policies: String = (0..rules)
            .map(|n| {
                format!(
                    "permit(principal, action, resource) when {{ !(context.headers has \"x-debug\") && \
                     context.headers[\"x-team\"] == \"search\" && context.llm.provider == \"models\" && \
                     context.llm.request_model like \"{}*\" }};\n",
                    family(n)
                )
            })
            .collect();
        Ok(Self { maker: Maker::new()?, policies: policies.parse()? })
    }
}

impl Engine for When {
    type Facts = Asked;
    type Request<'f> = Request;

    fn prepare(&self, asked: &Asked) -> Option<Request> {
        let headers =
            RestrictedExpression::new_record(asked.headers().map(|(name, value)| text(name, value)));
        let llm = [text("provider", &asked.model.provider), text("request_model", asked.model())];
        let llm = RestrictedExpression::new_record(llm);
        let pairs = [("headers".to_owned(), headers.ok()?), ("llm".to_owned(), llm.ok()?)];
        self.maker.request("POST", crate::expressions::HOST, Context::from_pairs(pairs).ok()?)
    }

    fn allows(&self, request: &Request) -> bool {
        self.maker.allows(request, &self.policies)
    }
}

fn text(name: &str, value: &str) -> (String, RestrictedExpression) {
    (name.to_owned(), RestrictedExpression::new_string(value.to_owned()))
}

fn permit(host: &str) -> String {
    let actions = METHODS.map(|method| format!("Action::\"{method}\"")).join(", ");
    format!(
        "permit(principal, action in [{actions}], resource == Host::\"{host}\") \
         when {{ context.path like \"{PREFIX}*\" }};\n"
    )
}

fn forbids(rules: Rules) -> String {
    let forbid = |prefix: String| {
        format!(
            "forbid(principal, action == Action::\"{DENIED_METHOD}\", resource) \
             when {{ context.path like \"{prefix}*\" }};\n"
        )
    };
    rules.denied_prefixes().map(forbid).collect()
}
