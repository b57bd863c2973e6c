//! What every service is given, and the in-process dispatcher between them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use bytes::Bytes;
use serde_json::Value;

use super::call::{Call, Client, Reply};
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
    members: RwLock<Members>,
    resource_types: OnceLock<BTreeMap<&'static str, ResourceType>>,
}

/// What makes up a cloud and holds it in its turn: both go only when [`Cloud::let_go`] has parted them.
#[derive(Default)]
struct Members {
    services: BTreeMap<&'static str, Arc<dyn Service>>,
    recorder: Option<Arc<dyn Recorder>>,
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
            members: RwLock::default(),
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
        self.change(|members| members.services = services.into_iter().map(|one| (one.name(), one)).collect());
        let fresh = self.resource_types.set(types).is_ok();
        debug_assert!(fresh, "services are registered once");
    }

    /// Parts with the services, which have been stopped. Whoever still holds the cloud finds none of them any more.
    pub(super) fn let_go(&self) {
        self.change(|members| *members = Members::default());
    }

    fn change(&self, change: impl FnOnce(&mut Members)) {
        change(&mut self.members.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn read<T>(&self, read: impl FnOnce(&Members) -> T) -> T {
        read(&self.members.read().unwrap_or_else(PoisonError::into_inner))
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
        self.change(|members| members.recorder = Some(recorder));
    }

    /// Who takes the traces of services; `None` in tests without X-Ray.
    pub fn recorder(&self) -> Option<Arc<dyn Recorder>> {
        self.read(|members| members.recorder.clone())
    }

    pub fn services(&self) -> Vec<Arc<dyn Service>> {
        self.read(|members| members.services.values().cloned().collect())
    }

    pub fn service(&self, name: &str) -> Option<Arc<dyn Service>> {
        self.read(|members| members.services.get(name).cloned())
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
            client: Client::default(),
        }
    }
}
