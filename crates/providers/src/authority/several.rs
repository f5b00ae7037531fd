//! Several zones, each with its own authoritative servers.

use std::sync::Arc;

use alfred_model::name::DomainName;
use async_trait::async_trait;

use super::{Authority, AuthorityError, ServerAnswer};

/// Asks the servers of the zone that a name is in; of zones within zones, the innermost.
pub struct Authorities {
    zones: Vec<(DomainName, Arc<dyn Authority>)>,
}

impl Authorities {
    /// One authority for each zone.
    pub fn new(zones: impl IntoIterator<Item = (DomainName, Arc<dyn Authority>)>) -> Self {
        let mut zones: Vec<_> = zones.into_iter().collect();
        zones.sort_by_key(|(zone, _)| std::cmp::Reverse(zone.as_str().len()));
        Self { zones }
    }
}

#[async_trait]
impl Authority for Authorities {
    async fn ask(&self, name: &DomainName) -> Result<Vec<ServerAnswer>, AuthorityError> {
        let zone = self.zones.iter().find(|(zone, _)| name == zone || name.is_below(zone));
        match zone {
            Some((_, authority)) => authority.ask(name).await,
            None => Err(AuthorityError::NoServers {
                zone: name.clone(),
                words: "no configured zone holds this name".to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::AnswerState;

    struct Named(&'static str);

    #[async_trait]
    impl Authority for Named {
        async fn ask(&self, _: &DomainName) -> Result<Vec<ServerAnswer>, AuthorityError> {
            let server = self.0.to_owned();
            Ok(vec![ServerAnswer { server, addresses: Vec::new(), state: AnswerState::NoData }])
        }
    }

    #[tokio::test]
    async fn the_innermost_zone_is_asked() {
        let authorities = Authorities::new(["example.com", "dev.example.com", "example.org"].map(|zone| {
            let authority: Arc<dyn Authority> = Arc::new(Named(zone));
            (zone.parse().unwrap(), authority)
        }));
        for (name, zone) in [
            ("a.example.com", "example.com"),
            ("a.dev.example.com", "dev.example.com"),
            ("dev.example.com", "dev.example.com"),
            ("a.example.org", "example.org"),
        ] {
            assert_eq!(authorities.ask(&name.parse().unwrap()).await.unwrap()[0].server, zone, "{name}");
        }
        assert!(authorities.ask(&"a.example.net".parse().unwrap()).await.is_err());
    }
}
