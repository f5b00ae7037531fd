//! A certificate authority of a test's own, made by `openssl`, which most machines have.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a server proves itself with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate, as PEM.
    pub file: PathBuf,
    /// Its private key, as PEM.
    pub key_file: PathBuf,
}

/// An authority and what it signed, in a folder that is removed with it.
#[derive(Debug)]
pub struct Authority {
    folder: tempfile::TempDir,
}

impl Authority {
    /// Makes an authority; `None` where there is no `openssl`, after saying that `test` could not run in a line that
    /// `cargo xtask test` counts and repeats at its end.
    ///
    /// # Panics
    /// When there is an `openssl`, and it fails.
    pub fn new(test: &str) -> Option<Self> {
        let there_is = Command::new("openssl").arg("version").stdin(Stdio::null()).output();
        if !there_is.is_ok_and(|output| output.status.success()) {
            let line = format!("\ncould not run: {test}: there is no `openssl` in `PATH`\n");
            std::io::stdout().write_all(line.as_bytes()).expect("the output is open");
            return None;
        }
        let folder =
            tempfile::Builder::new().prefix("alfred-authority-").tempdir().expect("there is room for a folder");
        let authority = Self { folder };
        let subject = "/CN=an authority of a test";
        authority.make_key("authority");
        let extensions = "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\n";
        authority.sign("authority", subject, extensions, &[]);
        Some(authority)
    }

    /// The authority's own certificate, as PEM.
    pub fn file(&self) -> PathBuf {
        self.path("authority.pem")
    }

    /// Its private key, as PEM.
    pub fn key_file(&self) -> PathBuf {
        self.path("authority.key")
    }

    /// A certificate for names as OpenSSL writes them, such as `IP:127.0.0.1,DNS:localhost`.
    ///
    /// # Panics
    /// When `openssl` fails.
    pub fn certificate(&self, names: &str) -> Certificate {
        let server = format!("server-{}", names.replace(|character: char| !character.is_ascii_alphanumeric(), "-"));
        self.make_key(&server);
        let extensions = format!("subjectAltName={names}\nextendedKeyUsage=serverAuth\n");
        let (authority, key) = (self.file(), self.key_file());
        let by: [&OsStr; 4] = ["-CA".as_ref(), authority.as_ref(), "-CAkey".as_ref(), key.as_ref()];
        self.sign(&server, "/CN=a server of a test", &extensions, &by);
        Certificate { file: self.path(&format!("{server}.pem")), key_file: self.path(&format!("{server}.key")) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn make_key(&self, name: &str) {
        let mut command = Command::new("openssl");
        command.args(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out"]);
        run(command.arg(self.path(&format!("{name}.key"))));
    }

    /// Signs a certificate for the key of `name`: with that key itself, or with the authority that `by` names.
    fn sign(&self, name: &str, subject: &str, extensions: &str, by: &[&OsStr]) {
        let (key, request) = (self.path(&format!("{name}.key")), self.path(&format!("{name}.csr")));
        let mut command = Command::new("openssl");
        command.args(["req", "-new", "-subj", subject, "-key"]).arg(&key).arg("-out").arg(&request);
        run(&mut command);
        let extension_file = self.path(&format!("{name}.ext"));
        write(&extension_file, extensions);
        let mut command = Command::new("openssl");
        command
            .args(["x509", "-req", "-sha256", "-days", "30", "-in"])
            .arg(&request)
            .arg("-extfile")
            .arg(&extension_file);
        if by.is_empty() {
            command.arg("-signkey").arg(&key);
        } else {
            command.args(by).arg("-CAcreateserial");
        }
        run(command.arg("-out").arg(self.path(&format!("{name}.pem"))));
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap_or_else(|error| panic!("cannot write `{}`: {error}", path.display()));
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("`openssl` was there a moment ago");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
