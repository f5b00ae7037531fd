//! The part of an order or a reinstall that says what is put on the disk.

use super::catalogue::DEFAULT_IMAGE;
use super::fields::Fields;
use super::instance::{Install, UserData};
use super::reply::Refusal;
use super::secrets::SecretKind;
use super::state::{Moment, State, images};

/// What the body says, before it is held against images and secrets.
pub(super) struct Wanted<'a> {
    image: &'a str,
    ssh_keys: Vec<i64>,
    root_password: Option<i64>,
    user_data: &'a str,
    default_user: &'a str,
    application: Option<&'a str>,
}

/// Reads the fields that an order and a reinstall have in common.
pub(super) fn read_install<'a>(fields: &mut Fields<'a>, moment: Moment<'_>) -> Wanted<'a> {
    Wanted {
        image: fields.uuid("imageId").unwrap_or(DEFAULT_IMAGE),
        ssh_keys: fields.integers("sshKeys"),
        root_password: fields.integer("rootPassword"),
        user_data: fields.text("userData", 0, moment.options.user_data_max).unwrap_or_default(),
        default_user: fields.one_of("defaultUser", &["root", "admin", "administrator"]).unwrap_or("admin"),
        application: fields.text("applicationId", 0, 255),
    }
}

impl State {
    /// Holds what is wanted against images and secrets.
    pub(super) fn check_install(&self, wanted: Wanted<'_>, moment: Moment<'_>) -> Result<Install, Refusal> {
        let image = images(moment.options)
            .into_iter()
            .find(|image| image.id.eq_ignore_ascii_case(wanted.image))
            .ok_or_else(|| Refusal::new(400, format!("Image '{}' was not found", wanted.image)))?;
        if image.windows && !wanted.ssh_keys.is_empty() {
            return Err(Refusal::new(400, "SSH keys are not allowed for Windows images"));
        }
        let wrong_user = if image.windows { "root" } else { "administrator" };
        if wanted.default_user == wrong_user {
            return Err(Refusal::new(
                400,
                format!("defaultUser '{wrong_user}' is not allowed for {}", image.os_type()),
            ));
        }
        for key in &wanted.ssh_keys {
            if self.secrets.get(key).is_none_or(|secret| secret.kind != SecretKind::Ssh) {
                return Err(Refusal::new(400, format!("SSH key with secretId {key} was not found")));
            }
        }
        // The platform does not check this one; it fails on it (https://github.com/contabo/terraform-provider-contabo/issues/17).
        if wanted
            .root_password
            .is_some_and(|id| self.secrets.get(&id).is_none_or(|secret| secret.kind != SecretKind::Password))
        {
            return Err(Refusal::server_error());
        }
        Ok(Install {
            image: image.id,
            windows: image.windows,
            ssh_keys: wanted.ssh_keys,
            default_user: wanted.default_user.to_owned(),
            application: wanted.application.map(str::to_owned),
            user_data: UserData::new(wanted.user_data),
        })
    }
}
