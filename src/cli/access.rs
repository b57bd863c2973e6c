//! `labctl access`.

use super::context::Context;
use super::deployed::Deployed;
use super::prepare::flags;
use super::select::LabArg;
use crate::engine::access::{ADDRESS_PATH, Door, Opened, PORT, Range, Way, asker, own_address};
use crate::engine::run::names_of;
use crate::engine::steps::check::Endpoint;
use crate::error::Failure;
use crate::ui::{Answer, Label, Table, Theme};
use serde::Serialize;
use std::collections::BTreeMap;

/// The lab parameter that gives the database an address on the internet, its value that does, and the output with its security group.
const PARAMETER: &str = "DatabaseAccess";
const PUBLIC: &str = "public";
const GROUP: &str = "DatabaseSecurityGroupId";

/// Let this machine reach a lab's database, and no longer
///
/// For a lab whose database is public (--set DatabaseAccess=public): its security group lets nobody in until somebody is granted
/// access. Rules that labctl did not make are left alone, and `labctl down` takes its own with it.
#[derive(clap::Args, Debug)]
pub(crate) struct AccessArgs {
    #[command(subcommand)]
    command: AccessCommand,
}

#[derive(clap::Subcommand, Debug)]
enum AccessCommand {
    Grant(GrantArgs),
    Revoke(RevokeArgs),
    Ls(LsArgs),
}

/// Open the database to this machine's address
///
/// The lab's API tells the address. Of a machine that had access from another address, the old one is closed.
#[derive(clap::Args, Debug)]
struct GrantArgs {
    #[command(flatten)]
    lab: LabArg,
    /// Addresses to let in instead: one, or a network of at most /24 (IPv6: /64)
    #[arg(long, value_name = "RANGE")]
    cidr: Option<Range>,
}

/// Close the database to this machine
#[derive(clap::Args, Debug)]
struct RevokeArgs {
    #[command(flatten)]
    lab: LabArg,
    /// Close it to everybody who was granted access
    #[arg(long)]
    all: bool,
}

/// List who was granted access
#[derive(clap::Args, Debug)]
struct LsArgs {
    #[command(flatten)]
    lab: LabArg,
}

#[derive(Debug, Serialize)]
struct GrantAnswer {
    lab: String,
    env: String,
    target: String,
    port: u16,
    #[serde(flatten)]
    opened: Opened,
    /// Where the database is.
    host: Option<String>,
    database_port: Option<String>,
}

impl Answer for GrantAnswer {
    fn text(&self, _theme: Theme) -> String {
        let Opened { cidr, was_open, by_another, closed } = &self.opened;
        let verb = if *was_open { "was open to" } else { "is open to" };
        let mut text = format!("port {PORT} {verb} {cidr}\n");
        if let Some(other) = by_another {
            text.push_str(&format!("by a rule of {other}, who may close it: there is one for a range\n"));
        }
        closed.iter().for_each(|way| text.push_str(&format!("closed to {}\n", way.cidr)));
        if let (Some(host), Some(port)) = (&self.host, &self.database_port) {
            text.push_str(&format!("the database: {host} port {port}, TLS only\n"));
        }
        text
    }
}

#[derive(Debug, Serialize)]
struct RevokeAnswer {
    lab: String,
    env: String,
    target: String,
    closed: Vec<Way>,
}

impl Answer for RevokeAnswer {
    fn text(&self, _theme: Theme) -> String {
        match self.closed.as_slice() {
            [] => "nothing was open\n".to_owned(),
            closed => closed.iter().map(|way| format!("closed to {}\n", way.cidr)).collect(),
        }
    }
}

#[derive(Debug, Serialize)]
struct LsAnswer {
    lab: String,
    env: String,
    target: String,
    /// Whether the database has an address on the internet at all.
    public: bool,
    access: Vec<Way>,
}

impl Answer for LsAnswer {
    fn text(&self, theme: Theme) -> String {
        if self.access.is_empty() {
            return "nobody was granted access\n".to_owned();
        }
        let mut table = Table::new(&["addresses", "of", "rule"]);
        for Way { rule, cidr, of } in &self.access {
            let cells = [(Some(Label::Name), cidr.clone()), (None, of.clone()), (Some(Label::Dim), rule.clone())];
            table.labelled(cells);
        }
        table.render(theme)
    }
}

/// A deployed lab with the security group of its database.
struct Guarded {
    deployed: Deployed,
    names: BTreeMap<String, String>,
    group: String,
}

impl Guarded {
    async fn of(cx: &Context, lab: &LabArg) -> Result<Self, Failure> {
        let deployed = Deployed::of(cx, lab).await?;
        let names = names_of(&deployed.wanted, &deployed.known);
        let name = &deployed.wanted.instance.lab;
        if !deployed.wanted.values.contains_key(PARAMETER) {
            let flags = flags(cx, &deployed.aws);
            return Err(Failure::usage(format!(
                "lab `{name}` has no parameter `{PARAMETER}`: its database is reached over the Data API only"
            ))
            .hint(format!("labctl sql{}{flags}", lab.typed())));
        }
        let group = names
            .get(GROUP)
            .cloned()
            .ok_or_else(|| Failure::usage(format!("no stack of lab `{name}` has the output `{GROUP}`")))?;
        Ok(Guarded { deployed, names, group })
    }

    fn door(&self) -> Door<'_> {
        Door { aws: &self.deployed.aws, instance: &self.deployed.wanted.instance, group: &self.group }
    }

    fn is_public(&self) -> bool {
        self.deployed.wanted.values.get(PARAMETER).map(String::as_str) == Some(PUBLIC)
    }

    fn told(&self) -> (String, String, String) {
        let instance = &self.deployed.wanted.instance;
        (instance.lab.clone(), instance.env.clone(), self.deployed.aws.target().name.clone())
    }

    async fn asker(&self) -> Result<String, Failure> {
        let caller = self.deployed.aws.caller().await;
        Ok(asker(caller.map_err(|error| Failure::failed("cannot tell who is asking").because(error))?.name()))
    }
}

pub(crate) async fn run(args: AccessArgs, cx: &Context) -> Result<(), Failure> {
    match args.command {
        AccessCommand::Grant(args) => grant(args, cx).await,
        AccessCommand::Revoke(args) => revoke(args, cx).await,
        AccessCommand::Ls(args) => ls(args, cx).await,
    }
}

async fn grant(args: GrantArgs, cx: &Context) -> Result<(), Failure> {
    let guarded = Guarded::of(cx, &args.lab).await?;
    let (lab, env, target) = guarded.told();
    if !guarded.is_public() {
        let flags = flags(cx, &guarded.deployed.aws);
        return Err(Failure::usage(format!(
            "the database of lab `{lab}` is private: its parameter `{PARAMETER}` is not `{PUBLIC}`"
        ))
        .hint(format!("labctl up{}{flags} --set {PARAMETER}={PUBLIC}", args.lab.typed())));
    }
    let range = match args.cidr {
        Some(range) => range,
        None => seen(&guarded).await?,
    };
    let asker = guarded.asker().await?;
    let opened = guarded.door().open(&asker, range).await;
    let opened =
        opened.map_err(|error| Failure::failed(format!("cannot open the database to {range}")).because(error))?;
    let name = |name: &str| guarded.names.get(name).cloned();
    let (host, database_port) = (name("ClusterEndpoint"), name("ClusterPort"));
    cx.ui.answer(&GrantAnswer { lab, env, target, port: PORT, opened, host, database_port });
    Ok(())
}

/// This machine's address, as the lab's API sees it.
async fn seen(guarded: &Guarded) -> Result<Range, Failure> {
    const HINT: &str = "name it: --cidr 203.0.113.7";
    let cannot = || Failure::failed("cannot tell this machine's address").hint(HINT);
    let Some(path) = guarded.names.get(ADDRESS_PATH) else {
        return Err(Failure::usage(format!("no stack of the lab has the output `{ADDRESS_PATH}`")).hint(HINT));
    };
    let Deployed { aws, wanted, known } = &guarded.deployed;
    let endpoint = Endpoint::of(aws, wanted, known.clone()).await.map_err(|error| cannot().because(error))?;
    let address = own_address(&endpoint, path).await.map_err(|error| cannot().because(error))?;
    Ok(Range::only(address))
}

async fn revoke(args: RevokeArgs, cx: &Context) -> Result<(), Failure> {
    let guarded = Guarded::of(cx, &args.lab).await?;
    let asker = guarded.asker().await?;
    let cannot = || Failure::failed("cannot close the database");
    let mut closed = guarded.door().ways().await.map_err(|error| cannot().because(error))?;
    closed.retain(|way| args.all || way.of == asker);
    guarded.door().close(&closed).await.map_err(|error| cannot().because(error))?;
    let (lab, env, target) = guarded.told();
    cx.ui.answer(&RevokeAnswer { lab, env, target, closed });
    Ok(())
}

async fn ls(args: LsArgs, cx: &Context) -> Result<(), Failure> {
    let guarded = Guarded::of(cx, &args.lab).await?;
    let ways = guarded.door().ways().await;
    let access =
        ways.map_err(|error| Failure::failed("cannot look at the database's security group").because(error))?;
    let (lab, env, target) = guarded.told();
    cx.ui.answer(&LsAnswer { lab, env, target, public: guarded.is_public(), access });
    Ok(())
}
