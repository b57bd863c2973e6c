//! The local certificate authority, and the certificates that engines show to clients.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

use super::home::Home;
use super::store::replace;

/// One certificate authority per home, made on first use, its key readable by the owner only.
#[derive(Clone)]
pub struct Authority {
    directory: PathBuf,
    issuer: Arc<Issuer<'static, KeyPair>>,
}

/// Where a certificate and its key lie as PEM files.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    /// Reads the authority of `home`, or makes one.
    ///
    /// # Errors
    /// The key directory cannot be read or written, or holds something else.
    pub fn open(home: &Home) -> io::Result<Self> {
        let directory = home.keys();
        let (certificate, key) = (directory.join("ca.pem"), directory.join("ca.key"));
        if !certificate.exists() || !key.exists() {
            let pair = KeyPair::generate().map_err(io::Error::other)?;
            let made = authority_parameters().self_signed(&pair).map_err(io::Error::other)?;
            replace(&key, pair.serialize_pem().as_bytes())?;
            replace(&certificate, made.pem().as_bytes())?;
        }
        let pair = KeyPair::from_pem(&std::fs::read_to_string(&key)?).map_err(io::Error::other)?;
        Ok(Authority { directory, issuer: Arc::new(Issuer::new(authority_parameters(), pair)) })
    }

    /// The authority's certificate, for clients: `SSL_CERT_FILE`, `--cacert`, `--ssl-ca`.
    pub fn certificate_file(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    /// A server certificate for 127.0.0.1, localhost and `names`, under `directory`; made once.
    ///
    /// # Errors
    /// The files cannot be written, or a name is not a DNS name or address.
    pub fn issue(&self, directory: &Path, names: &[String]) -> io::Result<CertificateFiles> {
        let files = CertificateFiles { certificate: directory.join("server.pem"), key: directory.join("server.key") };
        if files.certificate.exists() && files.key.exists() {
            return Ok(files);
        }
        let mut subjects = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        subjects.extend(names.iter().cloned());
        let mut parameters = CertificateParams::new(subjects).map_err(io::Error::other)?;
        parameters.distinguished_name.push(DnType::CommonName, "labctl local cloud");
        parameters.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        parameters.use_authority_key_identifier_extension = true;
        let pair = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = parameters.signed_by(&pair, &self.issuer).map_err(io::Error::other)?;
        replace(&files.key, pair.serialize_pem().as_bytes())?;
        replace(&files.certificate, certificate.pem().as_bytes())?;
        Ok(files)
    }
}

fn authority_parameters() -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, "labctl local certificate authority");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters
}
