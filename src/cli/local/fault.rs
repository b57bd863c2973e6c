//! `labctl local fault`: makes the local cloud misbehave on purpose.

use std::time::Duration;

use http::Method;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Wish, admin};
use crate::cli::context::Context;
use crate::error::Failure;
use crate::local::Found;
use crate::ui::{Answer, Theme};

/// Make the local cloud misbehave on purpose
#[derive(clap::Args, Debug)]
pub(super) struct FaultArgs {
    #[command(subcommand)]
    command: FaultCommand,
}

#[derive(clap::Subcommand, Debug)]
enum FaultCommand {
    /// Add a fault; it stays until it is cleared, or the local cloud ends or is reset
    Add {
        #[command(subcommand)]
        fault: Fault,
    },
    /// Show what was added, and how often each struck
    Ls,
    /// Take one away, or all
    Clear {
        /// Which one, as `ls` shows it; none: all
        id: Option<String>,
    },
}

#[derive(clap::Subcommand, Debug, Serialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
enum Fault {
    /// Refuse requests to a service with its own throttling error
    Throttle {
        /// The service, as AWS's tools call it: rds-data, lambda, s3
        service: String,
        /// This operation only, such as ExecuteStatement
        #[arg(long)]
        #[serde(skip_serializing_if = "Option::is_none")]
        operation: Option<String>,
        /// The share of the requests: 0.25 is every fourth
        #[arg(long, default_value_t = 1.0)]
        rate: f64,
        /// How many to refuse before the fault ends by itself
        #[arg(long, value_name = "N")]
        #[serde(skip_serializing_if = "Option::is_none")]
        times: Option<u32>,
    },
    /// Let a paused cluster take this much longer to come back
    ResumeDelay {
        /// 0 to 300
        seconds: f64,
    },
    /// Pause clusters with minimum capacity 0 after this many idle seconds, whatever they say themselves
    PauseAfter {
        /// 0 to 300
        seconds: f64,
    },
    /// Let CloudFormation fail to create a resource of a type
    Create {
        /// Such as AWS::RDS::DBCluster
        #[arg(value_name = "TYPE")]
        #[serde(rename = "type")]
        kind: String,
        /// How often, before the fault ends by itself
        #[arg(long, value_name = "N")]
        #[serde(skip_serializing_if = "Option::is_none")]
        times: Option<u32>,
    },
    /// Let CloudFormation fail to delete a resource of a type
    Delete {
        /// Such as AWS::RDS::DBCluster
        #[arg(value_name = "TYPE")]
        #[serde(rename = "type")]
        kind: String,
        /// How often, before the fault ends by itself
        #[arg(long, value_name = "N")]
        #[serde(skip_serializing_if = "Option::is_none")]
        times: Option<u32>,
    },
}

#[derive(Serialize)]
struct Added {
    id: String,
}

impl Answer for Added {
    fn text(&self, _: Theme) -> String {
        format!("added {}; take it away with: labctl local fault clear {}\n", self.id, self.id)
    }
}

#[derive(Serialize)]
struct Listed {
    faults: Vec<Map<String, Value>>,
}

impl Answer for Listed {
    fn text(&self, _: Theme) -> String {
        if self.faults.is_empty() {
            return "no faults\n".to_owned();
        }
        self.faults.iter().map(line).collect()
    }
}

/// `fault-1  throttle  service: rds-data, rate: 0.5  struck 3 of 6`
fn line(fault: &Map<String, Value>) -> String {
    let word = |name: &str| match &fault[name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let of = fault.keys().filter(|name| !["id", "fault", "asked", "struck"].contains(&name.as_str()));
    let of: Vec<String> = of.map(|name| format!("{name}: {}", word(name))).collect();
    let counted = ["throttle", "create", "delete"].contains(&word("fault").as_str());
    let struck = if counted { format!("  struck {} of {}", word("struck"), word("asked")) } else { String::new() };
    format!("{}  {}  {}{struck}\n", word("id"), word("fault"), of.join(", "))
}

#[derive(Serialize)]
struct Cleared {
    cleared: u64,
}

impl Answer for Cleared {
    fn text(&self, _: Theme) -> String {
        match self.cleared {
            0 => "there was no fault\n".to_owned(),
            1 => "took 1 fault away\n".to_owned(),
            count => format!("took {count} faults away\n"),
        }
    }
}

const WITHIN: Duration = Duration::from_secs(10);

pub(super) async fn fault(args: &FaultArgs, wish: &Wish, cx: &Context) -> Result<(), Failure> {
    let found = admin::find(&wish.home)?
        .ok_or_else(|| Failure::failed("the local cloud does not run").hint("labctl local start"))?;
    match &args.command {
        FaultCommand::Add { fault } => {
            let added = send(&found, Method::POST, "faults", &json!(fault)).await?;
            cx.ui.answer(&Added { id: added["id"].as_str().unwrap_or_default().to_owned() });
        }
        FaultCommand::Ls => {
            let mut listed = send(&found, Method::GET, "faults", &Value::Null).await?;
            let faults = serde_json::from_value(listed["faults"].take()).unwrap_or_default();
            cx.ui.answer(&Listed { faults });
        }
        FaultCommand::Clear { id } => {
            let path = id.as_ref().map_or_else(|| "faults".to_owned(), |id| format!("faults/{id}"));
            let cleared = send(&found, Method::DELETE, &path, &Value::Null).await?;
            cx.ui.answer(&Cleared { cleared: cleared["cleared"].as_u64().unwrap_or_default() });
        }
    }
    Ok(())
}

async fn send(found: &Found, method: Method, path: &str, body: &Value) -> Result<Value, Failure> {
    admin::tell(found, method, path, body, WITHIN).await.map_err(|error| match error {
        admin::AdminError::Refused { message, .. } => {
            Failure::usage(format!("the local cloud refuses this fault: {message}"))
                .hint("labctl local fault add --help")
        }
        other => Failure::failed("cannot reach the local cloud's faults").because(other).hint("labctl local status"),
    })
}
