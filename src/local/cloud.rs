//! What every service is given, and the in-process dispatcher between them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde_json::Value;

use super::call::{Call, Reply};
use super::clock::Clock;
use super::credentials::Keyring;
use super::drill::Drills;
use super::fault::Fault;
use super::home::Home;
use super::ids::Ids;
use super::process::Processes;
use super::process::engines::Engines;
use super::resource::ResourceType;
use super::scope::Scope;
use super::service::Service;
use super::tls::Authority;
use super::tracer::{Recorder, TraceHeader};

/// One running local cloud: its directory, time, names, keys, children and services.
pub struct Cloud {
    pub home: Home,
    pub clock: Clock,
    pub ids: Ids,
    /// The certificate authority that engines' certificates come from.
    pub authority: Authority,
    /// The only way to start a child process.
    pub processes: Processes,
    /// Where MySQL, Redis and their kin are on this machine.
    pub engines: Engines,
    /// Who the access keys belong to.
    pub credentials: Keyring,
    /// The faults that somebody added on purpose.
    pub drills: Drills,
    endpoint: OnceLock<SocketAddr>,
    recorder: OnceLock<Arc<dyn Recorder>>,
    services: OnceLock<BTreeMap<&'static str, Arc<dyn Service>>>,
    resource_types: OnceLock<BTreeMap<&'static str, ResourceType>>,
}

/// What a [`Cloud`] is made of; tests put in a fixed clock and counted ids.
pub struct Parts {
    pub home: Home,
    pub clock: Clock,
    pub ids: Ids,
    pub authority: Authority,
    pub processes: Processes,
    pub engines: Engines,
}

#[cfg(test)]
impl Parts {
    /// On the directory of a test: the system's clock, random ids, no engines. A test changes what it needs otherwise.
    pub(crate) fn of_test(directory: &std::path::Path) -> Self {
        let home = Home::open(directory).unwrap();
        Parts {
            authority: Authority::open(&home).unwrap(),
            home,
            clock: Clock::System,
            ids: Ids::Random,
            processes: Processes::start(),
            engines: Engines::default(),
        }
    }
}

impl Cloud {
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Cloud {
            credentials: Keyring::new(&parts.home),
            home: parts.home,
            clock: parts.clock,
            ids: parts.ids,
            authority: parts.authority,
            processes: parts.processes,
            engines: parts.engines,
            drills: Drills::default(),
            endpoint: OnceLock::new(),
            recorder: OnceLock::new(),
            services: OnceLock::new(),
            resource_types: OnceLock::new(),
        })
    }

    /// Registers the services; done once, before the first call.
    pub fn register(&self, services: Vec<Arc<dyn Service>>) {
        let of = |service: &Arc<dyn Service>| {
            let name = service.name();
            service.resource_types().into_iter().map(move |kind| (kind.name(), kind.of(name)))
        };
        let types = services.iter().flat_map(of).collect();
        let services = services.into_iter().map(|service| (service.name(), service)).collect();
        let fresh = self.resource_types.set(types).is_ok() && self.services.set(services).is_ok();
        debug_assert!(fresh, "services are registered once");
    }

    /// Says where the endpoint listens; done once, after binding.
    pub fn listening(&self, address: SocketAddr) {
        let fresh = self.endpoint.set(address).is_ok();
        debug_assert!(fresh, "the endpoint is bound once");
    }

    /// `http://127.0.0.1:4566`; `None` before the listener is bound (and in tests without one).
    pub fn endpoint_url(&self) -> Option<String> {
        self.endpoint.get().map(|address| format!("http://{address}"))
    }

    /// Says who takes the traces of services; done once, while the services open.
    pub fn traced_by(&self, recorder: Arc<dyn Recorder>) {
        let fresh = self.recorder.set(recorder).is_ok();
        debug_assert!(fresh, "one service takes traces");
    }

    /// Who takes the traces of services; `None` in tests without X-Ray.
    pub fn recorder(&self) -> Option<&Arc<dyn Recorder>> {
        self.recorder.get()
    }

    pub fn services(&self) -> impl Iterator<Item = &Arc<dyn Service>> {
        self.services.get().into_iter().flat_map(|services| services.values())
    }

    pub fn service(&self, name: &str) -> Option<Arc<dyn Service>> {
        self.services.get()?.get(name).cloned()
    }

    pub fn resource_type(&self, name: &str) -> Option<&ResourceType> {
        self.resource_types.get()?.get(name)
    }

    /// Every resource type that some service provides, sorted.
    pub fn resource_type_names(&self) -> impl Iterator<Item = &'static str> {
        self.resource_types.get().into_iter().flat_map(|types| types.keys().copied())
    }

    /// Runs one operation as the request that a client would send.
    ///
    /// # Errors
    /// The service's own fault; `NotImplemented` for a service or operation that is not here.
    pub async fn dispatch(&self, call: Call) -> Result<Reply, Fault> {
        match self.service(call.service) {
            Some(service) => service.call(call).await,
            None => Err(Fault::unsupported_operation(call.service, &call.operation)),
        }
    }

    /// [`Cloud::dispatch`] from inside: a service calls another one in the caller's scope.
    ///
    /// # Errors
    /// As [`Cloud::dispatch`].
    pub async fn call(
        &self,
        scope: &Scope,
        service: &'static str,
        operation: &str,
        input: Value,
    ) -> Result<Value, Fault> {
        self.dispatch(self.prepare(scope, service, operation, input, Bytes::new())).await.map(|reply| reply.output)
    }

    /// [`Cloud::call`] with a payload, and the whole reply.
    ///
    /// # Errors
    /// As [`Cloud::dispatch`].
    pub async fn call_with_body(
        &self,
        scope: &Scope,
        (service, operation): (&'static str, &str),
        input: Value,
        body: Bytes,
    ) -> Result<Reply, Fault> {
        self.dispatch(self.prepare(scope, service, operation, input, body)).await
    }

    /// [`Cloud::call_with_body`] from within a trace, for the resource whose ARN is `source`.
    ///
    /// # Errors
    /// As [`Cloud::dispatch`].
    pub async fn call_for(
        &self,
        scope: &Scope,
        (service, operation): (&'static str, &str),
        (input, body): (Value, Bytes),
        (trace, source): (TraceHeader, String),
    ) -> Result<Reply, Fault> {
        let call = self.prepare(scope, service, operation, input, body);
        self.dispatch(Call { trace: Some(trace), source: Some(source), ..call }).await
    }

    fn prepare(&self, scope: &Scope, service: &'static str, operation: &str, input: Value, body: Bytes) -> Call {
        Call {
            service,
            operation: operation.to_owned(),
            input,
            body,
            file: None,
            scope: scope.clone(),
            request_id: self.ids.uuid(),
            trace: None,
            source: None,
        }
    }
}
