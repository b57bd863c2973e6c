//! The four kinds of assets, and the names that QuickSight's operations have for each.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) enum Kind {
    VpcConnection,
    DataSource,
    DataSet,
    Dashboard,
}

impl Kind {
    pub(super) const ALL: [Kind; 4] = [Kind::VpcConnection, Kind::DataSource, Kind::DataSet, Kind::Dashboard];

    /// What operations call it: `Create…`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Kind::VpcConnection => "VPCConnection",
            Kind::DataSource => "DataSource",
            Kind::DataSet => "DataSet",
            Kind::Dashboard => "Dashboard",
        }
    }

    /// The member with its id.
    pub(super) const fn id(self) -> &'static str {
        match self {
            Kind::VpcConnection => "VPCConnectionId",
            Kind::DataSource => "DataSourceId",
            Kind::DataSet => "DataSetId",
            Kind::Dashboard => "DashboardId",
        }
    }

    /// What stands before the id in its ARN.
    pub(super) const fn arn(self) -> &'static str {
        match self {
            Kind::VpcConnection => "vpcConnection",
            Kind::DataSource => "datasource",
            Kind::DataSet => "dataset",
            Kind::Dashboard => "dashboard",
        }
    }

    /// How errors call it.
    pub(super) const fn resource_type(self) -> &'static str {
        match self {
            Kind::VpcConnection => "VPC_CONNECTION",
            Kind::DataSource => "DATA_SOURCE",
            Kind::DataSet => "DATA_SET",
            Kind::Dashboard => "DASHBOARD",
        }
    }

    /// The member of a list's answer.
    pub(super) const fn summaries(self) -> &'static str {
        match self {
            Kind::VpcConnection => "VPCConnectionSummaries",
            Kind::DataSource => "DataSources",
            Kind::DataSet => "DataSetSummaries",
            Kind::Dashboard => "DashboardSummaryList",
        }
    }

    /// Members of its settings, beside the name, that create and update take and describe shows.
    pub(super) const fn settings(self) -> &'static [&'static str] {
        match self {
            Kind::VpcConnection => &["SubnetIds", "SecurityGroupIds", "DnsResolvers", "RoleArn"],
            Kind::DataSource => &["DataSourceParameters", "Credentials", "VpcConnectionProperties", "SslProperties"],
            Kind::DataSet => &["PhysicalTableMap", "LogicalTableMap", "ImportMode", "DataSetUsageConfiguration"],
            Kind::Dashboard => &["Definition", "VersionDescription", "DashboardPublishOptions", "ThemeArn"],
        }
    }

    /// Members that only create takes.
    pub(super) const fn given_once(self) -> &'static [&'static str] {
        match self {
            Kind::VpcConnection => &["Tags"],
            Kind::DataSource => &["Type", "Permissions", "Tags"],
            Kind::DataSet | Kind::Dashboard => &["Permissions", "Tags"],
        }
    }
}
