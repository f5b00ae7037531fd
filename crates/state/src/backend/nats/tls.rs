//! What a connection that could not be encrypted says of the two who tried, and what to do about it.

use std::error::Error;
use std::io;

use rustls::CertificateError;

/// What to do, if an encrypted connection failed because of what the other side is or showed; nothing, where it failed for
/// another reason.
pub(super) fn advice(error: &(dyn Error + 'static)) -> Option<String> {
    let error = cause(error)?;
    let advice = match error {
        rustls::Error::InvalidCertificate(error) => return Some(certificate_advice(error)),
        rustls::Error::NoCertificatesPresented => "the server shows no certificate: give it one",
        rustls::Error::InvalidMessage(_) => {
            "it does not speak TLS there: begin its address with `nats://` or `ws://`, or turn TLS on at the server"
        }
        rustls::Error::AlertReceived(
            rustls::AlertDescription::CertificateRequired | rustls::AlertDescription::BadCertificate,
        ) => "the server wants a certificate of its clients (`verify`), and `alfred` has none: turn that off",
        rustls::Error::PeerIncompatible(_)
        | rustls::Error::AlertReceived(
            rustls::AlertDescription::HandshakeFailure | rustls::AlertDescription::ProtocolVersion,
        ) => "it offers no version of TLS that is known here: turn TLS 1.2 or 1.3 on at the server",
        _ => return Some(format!("no encrypted connection ({error}): check the server's certificate")),
    };
    Some(advice.to_owned())
}

fn certificate_advice(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => {
            "its certificate is of an authority that this machine does not know: add the \
             authority's certificate to the system's, or set `SSL_CERT_FILE` to a file with all that are to be known"
                .to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("its certificate is for another name ({error}): use a name that stands in it")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("its certificate has run out ({error}): renew it, unless this machine's clock is wrong")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("its certificate is not valid yet ({error}): check this machine's clock")
        }
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "its certificate is an authority's own: give the server one that the authority signed".to_owned()
        }
        _ => format!("its certificate is not accepted ({error}): give the server another one"),
    }
}

/// The error of TLS among the causes of `error`. What an [`io::Error`] was made of is none of its sources.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        let inner = error.downcast_ref().and_then(io::Error::get_ref).map(|inner| inner as &'a (dyn Error + 'static));
        cause = inner.or_else(|| error.source());
    }
    None
}

#[cfg(test)]
mod tests {
    use rustls::Error::InvalidCertificate;

    use super::*;

    #[test]
    fn each_failure_says_what_to_do() {
        for (error, words) in [
            (InvalidCertificate(CertificateError::UnknownIssuer), "`SSL_CERT_FILE`"),
            (InvalidCertificate(CertificateError::NotValidForName), "another name"),
            (InvalidCertificate(CertificateError::Expired), "renew it"),
            (InvalidCertificate(CertificateError::NotValidYet), "clock"),
            (InvalidCertificate(CertificateError::BadSignature), "not accepted"),
            (rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType), "`nats://`"),
            (rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired), "`verify`"),
            (rustls::Error::AlertReceived(rustls::AlertDescription::ProtocolVersion), "TLS 1.2"),
            (rustls::Error::General("odd".to_owned()), "no encrypted connection (unexpected error: odd)"),
        ] {
            // As the client hands it over: in an error of its own, and two of the system's.
            let error = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error));
            let advice = advice(&error).unwrap();
            assert!(advice.contains(words), "{advice}");
        }
        assert_eq!(advice(&io::Error::from(io::ErrorKind::ConnectionRefused)), None);
    }
}
