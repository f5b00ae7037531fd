//! Seeing for oneself: a DNS question over the network, a connection to a VM.

use std::net::Ipv4Addr;
use std::time::Duration;

use alfred_model::name::DomainName;
use alfred_providers::authority::AnswerState;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::stage::Stage;
use crate::api::Environment;
use crate::error::Failure;

const LIMIT: Duration = Duration::from_secs(5);

/// Asks the authoritative servers for the name; the addresses they answer with.
pub(super) async fn addresses(stage: &Stage, environment: &Environment) -> Result<Vec<Ipv4Addr>, Failure> {
    let name: DomainName =
        environment.domain.parse().map_err(|error| Failure::because("the server named a bad domain", &error))?;
    let answers = stage.authority.ask(&name).await;
    let answers = answers.map_err(|error| Failure::because(format!("`{name}` cannot be asked for"), &error))?;
    let mut addresses = Vec::new();
    for answer in answers {
        match answer.state {
            AnswerState::Answered | AnswerState::NoSuchName | AnswerState::NoData => addresses.extend(answer.addresses),
            AnswerState::Refused => return Err(Failure::new(format!("{} does not serve `{name}`", answer.server))),
            AnswerState::Failed(words) => return Err(Failure::new(format!("{}: {words}", answer.server))),
        }
    }
    Ok(addresses)
}

/// Connects to the VM and reads what it says first.
pub(super) async fn greeting(stage: &Stage, address: Ipv4Addr) -> Result<String, Failure> {
    let refused = |words: String| Failure::new(format!("the VM at {address} does not answer: {words}"));
    let target = stage.dial(address).ok_or_else(|| refused("it does not listen".to_owned()))?;
    let read = async {
        let mut stream = TcpStream::connect(target).await?;
        let mut line = vec![0; 256];
        let length = stream.read(&mut line).await?;
        line.truncate(length);
        Ok::<_, std::io::Error>(line)
    };
    let line = tokio::time::timeout(LIMIT, read).await;
    let line = line.map_err(|_| refused("no answer within 5 s".to_owned()))?;
    let line = line.map_err(|error| refused(error.to_string()))?;
    Ok(String::from_utf8_lossy(&line).trim().to_owned())
}
