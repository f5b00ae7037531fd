//! CORS and lifecycle rules over S3, whose forms are others than the REST API's.

use s3s::{
    S3Request, S3Result,
    dto::{
        AbortIncompleteMultipartUpload, CORSRule, DeleteBucketCorsInput, DeleteBucketCorsOutput, ExpirationStatus,
        GetBucketCorsInput, GetBucketCorsOutput, GetBucketLifecycleConfigurationInput,
        GetBucketLifecycleConfigurationOutput, LifecycleExpiration, LifecycleRule as S3Rule, LifecycleRuleFilter,
        PutBucketCorsInput, PutBucketCorsOutput, PutBucketLifecycleConfigurationInput,
        PutBucketLifecycleConfigurationOutput, Transition, TransitionStorageClass,
    },
};

use super::input::{bucket_name, instant, timestamp};
use crate::r2::{
    Core, CorsRule, LifecycleRule, Moment, RULES, Refusal, StorageClass,
    cors::Allowed,
    lifecycle::{ClassTransition, Due, Scope},
};

const DAY: u32 = 86_400;

pub(super) fn get_cors(core: &Core, request: &S3Request<GetBucketCorsInput>) -> S3Result<GetBucketCorsOutput> {
    let world = core.world();
    let rules = &world.bucket(&bucket_name(request, &request.input.bucket))?.cors;
    if rules.is_empty() {
        return Err(Refusal::NO_CORS.into());
    }
    Ok(GetBucketCorsOutput { cors_rules: Some(rules.iter().map(shown_cors).collect()) })
}

fn shown_cors(rule: &CorsRule) -> CORSRule {
    let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    CORSRule {
        allowed_headers: some(&rule.allowed.headers),
        allowed_methods: rule.allowed.methods.clone(),
        allowed_origins: rule.allowed.origins.clone(),
        expose_headers: some(&rule.expose_headers),
        id: rule.id.clone(),
        max_age_seconds: rule.max_age_seconds.and_then(|seconds| i32::try_from(seconds).ok()),
    }
}

pub(super) fn put_cors(core: &Core, request: S3Request<PutBucketCorsInput>) -> S3Result<PutBucketCorsOutput> {
    let name = bucket_name(&request, &request.input.bucket);
    let rules: Vec<CorsRule> = request
        .input
        .cors_configuration
        .cors_rules
        .into_iter()
        .map(|rule| CorsRule {
            id: rule.id,
            allowed: Allowed {
                methods: rule.allowed_methods,
                origins: rule.allowed_origins,
                headers: rule.allowed_headers.unwrap_or_default(),
            },
            expose_headers: rule.expose_headers.unwrap_or_default(),
            max_age_seconds: rule.max_age_seconds.and_then(|seconds| u32::try_from(seconds).ok()),
        })
        .collect();
    if rules.is_empty() || rules.len() > RULES || !rules.iter().all(CorsRule::is_sound) {
        return Err(Refusal::MALFORMED.into());
    }
    core.world().bucket_mut(&name)?.cors = rules;
    core.note_change();
    Ok(PutBucketCorsOutput::default())
}

pub(super) fn delete_cors(core: &Core, request: &S3Request<DeleteBucketCorsInput>) -> S3Result<DeleteBucketCorsOutput> {
    core.world().bucket_mut(&bucket_name(request, &request.input.bucket))?.cors.clear();
    core.note_change();
    Ok(DeleteBucketCorsOutput::default())
}

pub(super) fn get_lifecycle(
    core: &Core,
    request: &S3Request<GetBucketLifecycleConfigurationInput>,
) -> S3Result<GetBucketLifecycleConfigurationOutput> {
    let world = core.world();
    let rules = &world.bucket(&bucket_name(request, &request.input.bucket))?.lifecycle;
    if rules.is_empty() {
        let text = "The lifecycle configuration does not exist.";
        return Err(Refusal { name: "NoSuchLifecycleConfiguration", ..Refusal::NO_CORS }.saying(text).into());
    }
    Ok(GetBucketLifecycleConfigurationOutput {
        rules: Some(rules.iter().map(shown_lifecycle).collect()),
        ..GetBucketLifecycleConfigurationOutput::default()
    })
}

fn days(seconds: u32) -> Option<i32> {
    i32::try_from(seconds.div_ceil(DAY)).ok()
}

fn shown_lifecycle(rule: &LifecycleRule) -> S3Rule {
    let status = if rule.enabled { ExpirationStatus::ENABLED } else { ExpirationStatus::DISABLED };
    let abort = rule.abort_multipart_uploads_transition.and_then(|due| match due.condition {
        Moment::Age { max_age } => Some(AbortIncompleteMultipartUpload { days_after_initiation: days(max_age) }),
        Moment::Date { .. } => None,
    });
    let expiration = rule.delete_objects_transition.map(|due| match due.condition {
        Moment::Age { max_age } => LifecycleExpiration { days: days(max_age), ..LifecycleExpiration::default() },
        Moment::Date { date } => LifecycleExpiration { date: Some(timestamp(date)), ..LifecycleExpiration::default() },
    });
    let transitions: Vec<Transition> = rule
        .storage_class_transitions
        .iter()
        .map(|change| {
            let class = TransitionStorageClass::from(change.storage_class.s3().to_owned());
            let (date, days) = match change.condition {
                Moment::Age { max_age } => (None, days(max_age)),
                Moment::Date { date } => (Some(timestamp(date)), None),
            };
            Transition { date, days, storage_class: Some(class) }
        })
        .collect();
    S3Rule {
        abort_incomplete_multipart_upload: abort,
        expiration,
        filter: Some(LifecycleRuleFilter {
            prefix: Some(rule.conditions.prefix.clone()),
            ..LifecycleRuleFilter::default()
        }),
        id: Some(rule.id.clone()),
        noncurrent_version_expiration: None,
        noncurrent_version_transitions: None,
        prefix: None,
        status: ExpirationStatus::from_static(status),
        transitions: (!transitions.is_empty()).then_some(transitions),
    }
}

pub(super) fn put_lifecycle(
    core: &Core,
    request: S3Request<PutBucketLifecycleConfigurationInput>,
) -> S3Result<PutBucketLifecycleConfigurationOutput> {
    let name = bucket_name(&request, &request.input.bucket);
    let given = request.input.lifecycle_configuration.ok_or(Refusal::MALFORMED)?.rules;
    if given.len() > RULES {
        return Err(Refusal::MALFORMED.into());
    }
    let rules: Result<Vec<LifecycleRule>, Refusal> =
        given.into_iter().enumerate().map(|(place, rule)| read_lifecycle(rule, place)).collect();
    core.world().bucket_mut(&name)?.lifecycle = rules?;
    core.note_change();
    Ok(PutBucketLifecycleConfigurationOutput::default())
}

fn read_lifecycle(rule: S3Rule, place: usize) -> Result<LifecycleRule, Refusal> {
    let filter = rule.filter.unwrap_or_default();
    let by_size = filter.object_size_greater_than.is_some() || filter.object_size_less_than.is_some();
    let by_version = rule.noncurrent_version_expiration.is_some() || rule.noncurrent_version_transitions.is_some();
    if filter.tag.is_some() || filter.and.is_some() || by_size || by_version {
        return Err(Refusal::NOT_IMPLEMENTED.saying("Lifecycle rules apply by prefix alone."));
    }
    let age = |days: i32| {
        let seconds = u32::try_from(days).ok().and_then(|days| days.checked_mul(DAY));
        seconds.filter(|seconds| *seconds > 0).map(|max_age| Moment::Age { max_age }).ok_or(Refusal::MALFORMED)
    };
    let abort = rule.abort_incomplete_multipart_upload.and_then(|abort| abort.days_after_initiation);
    let expiration = match rule.expiration {
        None => None,
        Some(LifecycleExpiration { days: Some(days), .. }) => Some(Due { condition: age(days)? }),
        Some(LifecycleExpiration { date: Some(date), .. }) => {
            Some(Due { condition: Moment::Date { date: instant(&date) } })
        }
        Some(_) => return Err(Refusal::MALFORMED),
    };
    let mut transitions = Vec::new();
    for change in rule.transitions.unwrap_or_default() {
        let class = change.storage_class.as_ref().and_then(|class| StorageClass::of_s3(class.as_str()));
        let condition = match (change.days, change.date) {
            (Some(days), _) => age(days)?,
            (None, Some(date)) => Moment::Date { date: instant(&date) },
            (None, None) => return Err(Refusal::MALFORMED),
        };
        transitions.push(ClassTransition { condition, storage_class: class.ok_or(Refusal::MALFORMED)? });
    }
    Ok(LifecycleRule {
        id: rule.id.unwrap_or_else(|| format!("rule-{}", place + 1)),
        enabled: rule.status.as_str() == ExpirationStatus::ENABLED,
        conditions: Scope { prefix: filter.prefix.or(rule.prefix).unwrap_or_default() },
        abort_multipart_uploads_transition: abort.map(age).transpose()?.map(|condition| Due { condition }),
        delete_objects_transition: expiration,
        storage_class_transitions: transitions,
    })
}
