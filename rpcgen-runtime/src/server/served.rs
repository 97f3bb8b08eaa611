//! Which business implementation an action goes to: by its service and its app id.
//!
//! Knows: services, app ids. Does not know: what an action says, how its handler runs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use rpcgen_proto::frame::Refusal;
use rpcgen_proto::ids::AppId;

use super::business::Call;
use super::dispatch::{Dispatch, Handler, Service, refuse, unknown_action};
use crate::carried::Carried;
use crate::contract::ServiceDescriptor;

/// A service with all its business implementations.
pub(super) struct Served {
    pub(super) descriptor: &'static ServiceDescriptor,
    /// Of the app ids that have one of their own.
    own: BTreeMap<AppId, Arc<dyn Dispatch>>,
    /// Of all others.
    others: Option<Arc<dyn Dispatch>>,
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served").field("service", &self.descriptor.name).field("apps", &self.own.keys()).finish()
    }
}

impl Served {
    /// The handler of an action. Nothing has run yet.
    pub(super) fn dispatch(&self, method: u32, call: Call, request: Carried) -> Handler {
        match self.business_of(method, &request) {
            Ok(business) => business.dispatch(method, call, request),
            Err(refusal) => refusal,
        }
    }

    fn business_of(&self, method: u32, request: &Carried) -> Result<&dyn Dispatch, Handler> {
        if self.own.is_empty()
            && let Some(business) = &self.others
        {
            return Ok(&**business);
        }
        if method as usize >= self.descriptor.actions.len() {
            return Err(unknown_action());
        }
        let app_id = request.app_id().map_err(|_| refuse(Refusal::Undecodable))?;
        let business = self.own.get(&app_id).or(self.others.as_ref());
        business.map(|business| &**business).ok_or_else(|| refuse(Refusal::UnknownApp))
    }
}

/// Puts the implementations of each service together.
///
/// # Errors
/// There is none, or two would serve the same app id of the same service; the text says which.
pub(super) fn put_together(services: Vec<Service>) -> Result<Vec<Served>, String> {
    if services.is_empty() {
        return Err("a server without a service: add one with `ServerBuilder::serve`".to_owned());
    }
    let mut all: Vec<Served> = Vec::new();
    for Service { descriptor, dispatch, apps } in services {
        let name = descriptor.name;
        let index = match all.iter().position(|served| served.descriptor.name == name) {
            Some(index) => index,
            None => {
                all.push(Served { descriptor, own: BTreeMap::new(), others: None });
                all.len() - 1
            }
        };
        let Some(served) = all.get_mut(index) else { continue };
        if served.descriptor.fingerprint != descriptor.fingerprint {
            return Err(format!(
                "the service `{name}` is served with two different schemas; build both from one .rpc file"
            ));
        }
        if apps.is_empty() && served.others.replace(Arc::clone(&dispatch)).is_some() {
            return Err(format!("the service `{name}` is served twice; say for which app id with `Service::for_app`"));
        }
        for app_id in apps {
            if served.own.insert(app_id, Arc::clone(&dispatch)).is_some() {
                return Err(format!("the service `{name}` is served twice for app {}", app_id.0));
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl Dispatch for Nobody {
        fn dispatch(&self, _method: u32, _call: Call, _request: Carried) -> Handler {
            unknown_action()
        }
    }

    static BANK: ServiceDescriptor =
        ServiceDescriptor { name: "bank.Bank", fingerprint: 1, shape: "", actions: &[], broadcasts: &[] };
    static OTHER_SCHEMA: ServiceDescriptor =
        ServiceDescriptor { name: "bank.Bank", fingerprint: 2, shape: "", actions: &[], broadcasts: &[] };

    fn bank() -> Service {
        Service::new(&BANK, Nobody)
    }

    fn error_of(services: Vec<Service>) -> String {
        put_together(services).unwrap_err()
    }

    #[test]
    fn implementations_of_one_service_stand_together() {
        let all = put_together(vec![bank(), bank().for_app(AppId(7)).for_app(AppId(8))]).unwrap();
        assert_eq!(all.len(), 1);
        assert!(all[0].others.is_some());
        assert!(all[0].own.keys().eq(&[AppId(7), AppId(8)]));
    }

    #[test]
    fn two_implementations_for_the_same_are_refused_with_what_is_the_same() {
        assert!(error_of(Vec::new()).contains("without a service"));
        assert!(error_of(vec![bank(), bank()]).contains("`bank.Bank` is served twice; say for which app id"));
        assert!(error_of(vec![bank().for_app(AppId(7)), bank().for_app(AppId(7))]).contains("twice for app 7"));
        assert!(error_of(vec![bank(), Service::new(&OTHER_SCHEMA, Nobody)]).contains("two different schemas"));
    }
}
