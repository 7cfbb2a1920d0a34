//! Who a node is, whom it trusts, and how it says both in a TLS 1.3 handshake.
//!
//! Both ends show a certificate and prove that they hold its key. What counts about a certificate is its public key
//! alone: whether the trust file pins it, for which node, and until when. Names, issuers and dates inside certificates
//! decide nothing.

use super::SealSettings;
use super::handshake::HandshakeFault;
use super::keys::{self, KeyError};
use super::trust::{KeyHash, Moment, Refusal, Trust};
use bellini_core::ids::NodeId;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ParsedCertificate};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

/// A node's key, certificate and trust, ready for handshakes.
pub struct Identity {
    node: NodeId,
    own: KeyHash,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    provider: Arc<CryptoProvider>,
    accepting: Arc<ServerConfig>,
    trusted: Arc<RwLock<Trust>>,
    path: PathBuf,
    /// Length and time of the trust file that was read last.
    seen: RwLock<Option<(u64, SystemTime)>>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity(node {}, key {})", self.node, self.own)
    }
}

impl Identity {
    /// Reads what `settings` name, for node `node`.
    ///
    /// # Errors
    /// When a file cannot be read or does not hold what it should, when key and certificate do not belong together, or
    /// when the trust file does not take the node's own key: no other node would, either.
    pub fn load(settings: &SealSettings, node: NodeId) -> Result<Self, KeyError> {
        let content = |path: &PathBuf, problem: String| KeyError::Content { path: path.clone(), problem };
        let trust = keys::read_trust(&settings.trust)?;
        let certificate = CertificateDer::from_pem_slice(&keys::read(&settings.certificate)?)
            .map_err(|error| content(&settings.certificate, format!("no certificate in PEM: {error}")))?;
        let key = PrivateKeyDer::from_pem_slice(&keys::read_private(&settings.key)?)
            .map_err(|error| content(&settings.key, format!("no private key in PEM: {error}")))?;
        let own = hash_of(&certificate)
            .map_err(|error| content(&settings.certificate, format!("no certificate: {error}")))?;
        trust.judge(Some(node), own, Moment::now()).map_err(|refusal| {
            let problem = format!(
                "node {node} may not use the key of {}: {refusal}; `bellini keys issue` makes another",
                settings.certificate.display()
            );
            content(&settings.trust, problem)
        })?;
        let provider = Arc::new(ring::default_provider());
        let trusted = Arc::new(RwLock::new(trust));
        let anyone =
            Arc::new(Verifier { expected: None, trust: trusted.clone(), provider: provider.clone() });
        let builder = ServerConfig::builder_with_provider(provider.clone());
        let accepting = builder
            .with_protocol_versions(&[&TLS13])
            .map(|builder| builder.with_client_cert_verifier(anyone))
            .and_then(|builder| builder.with_single_cert(vec![certificate.clone()], key.clone_key()));
        let mut accepting = accepting.map_err(|error| {
            content(&settings.key, format!("no key for {}: {error}", settings.certificate.display()))
        })?;
        // Every connection proves its key anew: one that was revoked has no other way in.
        accepting.send_tls13_tickets = 0;
        accepting.session_storage = Arc::new(NoServerSessionStorage {});
        let identity = Self {
            node,
            own,
            certificate,
            key,
            provider,
            accepting: Arc::new(accepting),
            trusted,
            path: settings.trust.clone(),
            seen: RwLock::new(None),
        };
        *identity.seen.write().unwrap_or_else(PoisonError::into_inner) = identity.stamp();
        // What it takes to dial is known to work before anything starts.
        identity.dialling(node).map_err(|error| content(&settings.key, error.to_string()))?;
        Ok(identity)
    }

    /// How it accepts: whoever has a key that counts is let through.
    pub(super) fn accepting(&self) -> Arc<ServerConfig> {
        self.accepting.clone()
    }

    /// How it dials: nobody but `peer` will do at the other end.
    pub(super) fn dialling(&self, peer: NodeId) -> Result<Arc<ClientConfig>, Error> {
        let (trust, provider) = (self.trusted.clone(), self.provider.clone());
        let verifier = Verifier { expected: Some(peer), trust, provider };
        let mut config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_auth_cert(vec![self.certificate.clone()], self.key.clone_key())?;
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        Ok(Arc::new(config))
    }

    /// Says whether a key counts for a node now.
    ///
    /// # Errors
    /// Why it does not.
    pub(super) fn judge(&self, node: NodeId, key: KeyHash) -> Result<(), Refusal> {
        judge(&self.trusted, Some(node), key).map(|_| ())
    }

    /// Whether the node's own key counts.
    ///
    /// # Errors
    /// Why it does not.
    pub(super) fn judge_own(&self) -> Result<(), Refusal> {
        self.judge(self.node, self.own)
    }

    /// Reads the trust file again if it has changed; whether it had.
    ///
    /// # Errors
    /// When it cannot be read: what was read before stays.
    pub(super) fn reload(&self) -> Result<bool, KeyError> {
        let stamp = self.stamp();
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        if *seen == stamp {
            return Ok(false);
        }
        // What could not be read is tried again: its rights may change without its time.
        let trust = keys::read_trust(&self.path)?;
        *seen = stamp;
        *self.trusted.write().unwrap_or_else(PoisonError::into_inner) = trust;
        Ok(true)
    }

    fn stamp(&self) -> Option<(u64, SystemTime)> {
        let found = std::fs::metadata(&self.path).ok()?;
        Some((found.len(), found.modified().ok()?))
    }
}

/// Returns the hash of a certificate's public key.
pub(super) fn hash_of(certificate: &CertificateDer<'_>) -> Result<KeyHash, Error> {
    let parsed = ParsedCertificate::try_from(certificate)?;
    Ok(KeyHash::of(&parsed.subject_public_key_info()))
}

fn judge(trust: &RwLock<Trust>, node: Option<NodeId>, key: KeyHash) -> Result<NodeId, Refusal> {
    trust.read().unwrap_or_else(PoisonError::into_inner).judge(node, key, Moment::now())
}

/// Judges certificates by the trust file.
#[derive(Debug)]
struct Verifier {
    /// Who must be at the other end; `None`: any node that is trusted.
    expected: Option<NodeId>,
    trust: Arc<RwLock<Trust>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn verify(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let judged = judge(&self.trust, self.expected, hash_of(certificate)?);
        judged.map(|_| ()).map_err(|refusal| Error::InvalidCertificate(as_tls(refusal)))
    }

    fn verify_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }
}

/// Keys are of one kind, and so are signatures.
fn schemes() -> Vec<SignatureScheme> {
    vec![SignatureScheme::ED25519]
}

fn no_tls12() -> Error {
    Error::General("TLS 1.3 only".to_owned())
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(end_entity).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        schemes()
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify(end_entity).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        schemes()
    }
}

/// Puts a refusal into TLS's words, so that the other end hears the reason as an alert.
fn as_tls(refusal: Refusal) -> CertificateError {
    match refusal {
        Refusal::Unknown => CertificateError::UnknownIssuer,
        Refusal::WrongNode => CertificateError::ApplicationVerificationFailure,
        Refusal::Expired => CertificateError::Expired,
        Refusal::Revoked => CertificateError::Revoked,
    }
}

/// Reads what became of a handshake.
pub(super) fn fault_of(error: &Error) -> HandshakeFault {
    use rustls::AlertDescription as Alert;
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            HandshakeFault::Refused(Refusal::Unknown)
        }
        Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure) => {
            HandshakeFault::Refused(Refusal::WrongNode)
        }
        Error::InvalidCertificate(CertificateError::Expired) => HandshakeFault::Refused(Refusal::Expired),
        Error::InvalidCertificate(CertificateError::Revoked) => HandshakeFault::Refused(Refusal::Revoked),
        Error::InvalidCertificate(_) | Error::NoCertificatesPresented | Error::InvalidMessage(_) => {
            HandshakeFault::Unsealed
        }
        Error::AlertReceived(Alert::CertificateExpired) => HandshakeFault::RefusedUs(Some(Refusal::Expired)),
        Error::AlertReceived(Alert::CertificateRevoked) => HandshakeFault::RefusedUs(Some(Refusal::Revoked)),
        Error::AlertReceived(Alert::UnknownCA) => HandshakeFault::RefusedUs(Some(Refusal::Unknown)),
        Error::AlertReceived(_) => HandshakeFault::RefusedUs(None),
        _ => HandshakeFault::Unsealed,
    }
}
