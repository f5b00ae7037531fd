//! Tags, and their assignments to instances and images.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::audit::{Change, Entry, Kind};
use super::fields::{Fields, integer};
use super::page::{SortKey, page};
use super::reply::{Refusal, Reply};
use super::route::Assigned;
use super::state::{CUSTOMER, Call, Moment, State, TENANT, images};
use super::time::after;

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Tag {
    id: i64,
    name: String,
    color: String,
    description: String,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Assignment {
    tag: i64,
    kind: String,
    resource: String,
}

impl Tag {
    fn wire(&self) -> Value {
        json!({
            "tenantId": TENANT,
            "customerId": CUSTOMER,
            "tagId": self.id,
            "name": self.name,
            "color": self.color,
            "description": self.description,
        })
    }

    fn sort_key(&self, field: &str) -> Option<SortKey> {
        Some(match field {
            "tagId" => SortKey::Number(self.id),
            "name" => SortKey::Text(self.name.clone()),
            "color" => SortKey::Text(self.color.clone()),
            _ => return None,
        })
    }
}

/// The fields of a tag's body; each is optional when a tag is changed.
struct TagFields<'a> {
    name: Option<&'a str>,
    color: Option<&'a str>,
    description: Option<&'a str>,
}

fn read_tag<'a>(fields: &mut Fields<'a>) -> TagFields<'a> {
    let name = fields.text("name", 1, 255);
    let is_name = |name: &str| {
        name.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, ':' | '-' | '_'))
    };
    if name.is_some_and(|name| !is_name(name)) {
        fields.complain("name may contain letters, numbers, colons, dashes, and underscores".to_owned());
    }
    let color = fields.text("color", 4, 7);
    let is_color = |color: &str| {
        color.strip_prefix('#').is_some_and(|digits| {
            matches!(digits.len(), 3 | 6) && digits.chars().all(|digit| digit.is_ascii_hexdigit())
        })
    };
    if color.is_some_and(|color| !is_color(color)) {
        fields.complain("color must be a hexadecimal color".to_owned());
    }
    TagFields { name, color, description: fields.text("description", 0, 255) }
}

impl State {
    fn tag(&self, id: &str) -> Result<&Tag, Refusal> {
        let id = integer("tagId", id)?;
        self.tags.get(&id).ok_or_else(|| Refusal::not_found(&format!("Tag {id}")))
    }

    /// Tag names are unique in an account.
    fn check_tag_name(&self, name: Option<&str>, own: Option<i64>) -> Result<(), Refusal> {
        let taken = |name: &str| self.tags.values().any(|tag| tag.name == name && Some(tag.id) != own);
        match name {
            Some(name) if taken(name) => Err(Refusal::new(409, format!("Tag with name '{name}' already exists"))),
            _ => Ok(()),
        }
    }

    pub(super) fn create_tag(&mut self, call: &Call<'_>, moment: Moment<'_>) -> Result<Reply, Refusal> {
        let mut fields = Fields::new(&call.body);
        fields.require("name");
        fields.require("color");
        let wanted = read_tag(&mut fields);
        fields.finish()?;
        self.check_tag_name(wanted.name, None)?;
        self.last_tag += 1;
        let id = self.last_tag;
        let owned = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let tag =
            Tag { id, name: owned(wanted.name), color: owned(wanted.color), description: owned(wanted.description) };
        let changes = json!({ "new": { "name": tag.name } });
        self.tags.insert(id, tag);
        self.note(call, moment, Kind::Tag, Change::Created, id, changes);
        let object = json!({ "tenantId": TENANT, "customerId": CUSTOMER, "tagId": id });
        Ok(Reply::one(201, &object, &format!("{}/{id}", call.path)))
    }

    pub(super) fn list_tags(&self, call: &Call<'_>, moment: Moment<'_>) -> Result<Reply, Refusal> {
        let name = call.query.get("name");
        let tags: Vec<&Tag> =
            self.tags.values().filter(|tag| name.is_none_or(|name| tag.name.contains(name))).collect();
        page(call.path, tags, &call.query, moment.options, |tag, field| tag.sort_key(field), |tag| tag.wire())
    }

    pub(super) fn get_tag(&self, id: &str, call: &Call<'_>) -> Result<Reply, Refusal> {
        Ok(Reply::one(200, &self.tag(id)?.wire(), call.path))
    }

    pub(super) fn update_tag(&mut self, id: &str, call: &Call<'_>, moment: Moment<'_>) -> Result<Reply, Refusal> {
        let id = self.tag(id)?.id;
        let mut fields = Fields::new(&call.body);
        let wanted = read_tag(&mut fields);
        fields.finish()?;
        self.check_tag_name(wanted.name, Some(id))?;
        let Some(tag) = self.tags.get_mut(&id) else {
            return Err(Refusal::not_found(&format!("Tag {id}")));
        };
        for (text, own) in
            [(wanted.name, &mut tag.name), (wanted.color, &mut tag.color), (wanted.description, &mut tag.description)]
        {
            if let Some(text) = text {
                text.clone_into(own);
            }
        }
        let changes = json!({ "new": { "name": tag.name } });
        self.note(call, moment, Kind::Tag, Change::Updated, id, changes);
        Ok(Reply::links(200, call.path))
    }

    /// A tag that is assigned to something stays.
    pub(super) fn delete_tag(&mut self, id: &str, call: &Call<'_>, moment: Moment<'_>) -> Result<Reply, Refusal> {
        let id = self.tag(id)?.id;
        if self.assignments.iter().any(|assignment| assignment.tag == id) {
            return Err(Refusal::new(409, format!("Tag {id} is assigned to a resource")));
        }
        self.tags.remove(&id);
        self.note(call, moment, Kind::Tag, Change::Deleted, id, json!({}));
        Ok(Reply::empty())
    }

    pub(super) fn list_assignments(&self, tag: &str, call: &Call<'_>, moment: Moment<'_>) -> Result<Reply, Refusal> {
        let tag = self.tag(tag)?;
        let kind = call.query.get("resourceType");
        let assignments: Vec<&Assignment> = self
            .assignments
            .iter()
            .filter(|assignment| assignment.tag == tag.id)
            .filter(|assignment| kind.is_none_or(|kind| assignment.kind.contains(kind)))
            .collect();
        let key = |assignment: &&Assignment, field: &str| match field {
            "resourceType" => Some(SortKey::Text(assignment.kind.clone())),
            "resourceId" => Some(SortKey::Text(assignment.resource.clone())),
            _ => None,
        };
        page(call.path, assignments, &call.query, moment.options, key, |assignment| {
            self.assignment_wire(assignment, tag, moment)
        })
    }

    pub(super) fn get_assignment(
        &self,
        assigned: &Assigned,
        call: &Call<'_>,
        moment: Moment<'_>,
    ) -> Result<Reply, Refusal> {
        let tag = self.tag(&assigned.tag)?;
        let assignment = self
            .assignments
            .iter()
            .find(|assignment| assignment.is(tag.id, assigned))
            .ok_or_else(|| Refusal::not_found("Assignment"))?;
        Ok(Reply::new(
            200,
            json!({ "data": [self.assignment_wire(assignment, tag, moment)], "_links": links(call.path, assigned) }),
        ))
    }

    pub(super) fn create_assignment(
        &mut self,
        assigned: &Assigned,
        call: &Call<'_>,
        moment: Moment<'_>,
    ) -> Result<Reply, Refusal> {
        let tag = self.tag(&assigned.tag)?.id;
        if self.resource_name(&assigned.kind, &assigned.resource, moment).is_none() {
            return Err(Refusal::not_found(&format!("Resource {} {}", assigned.kind, assigned.resource)));
        }
        if self.assignments.iter().any(|assignment| assignment.is(tag, assigned)) {
            return Err(Refusal::new(409, format!("Tag {tag} is already assigned to this resource")));
        }
        let Assigned { kind, resource, .. } = assigned;
        self.assignments.push(Assignment { tag, kind: kind.clone(), resource: resource.clone() });
        self.note_assignment(assigned, tag, Change::Created, call, moment);
        Ok(Reply::new(201, json!({ "_links": links(call.path, assigned) })))
    }

    pub(super) fn delete_assignment(
        &mut self,
        assigned: &Assigned,
        call: &Call<'_>,
        moment: Moment<'_>,
    ) -> Result<Reply, Refusal> {
        let tag = self.tag(&assigned.tag)?.id;
        let before = self.assignments.len();
        self.assignments.retain(|assignment| !assignment.is(tag, assigned));
        if self.assignments.len() == before {
            return Err(Refusal::not_found("Assignment"));
        }
        self.note_assignment(assigned, tag, Change::Deleted, call, moment);
        Ok(Reply::empty())
    }

    fn note_assignment(&mut self, assigned: &Assigned, tag: i64, change: Change, call: &Call<'_>, moment: Moment<'_>) {
        let entry = Entry {
            kind: Kind::Assignment,
            resource: tag,
            assigned: Some((assigned.kind.clone(), assigned.resource.clone())),
            change,
            at: moment.now,
            readable_at: after(moment.now, moment.options.audit_lag.draw(moment.random)),
            changes: json!({}),
        };
        self.history.add(entry, &call.origin);
    }

    fn assignment_wire(&self, assignment: &Assignment, tag: &Tag, moment: Moment<'_>) -> Value {
        json!({
            "tenantId": TENANT,
            "customerId": CUSTOMER,
            "tagId": tag.id,
            "tagName": tag.name,
            "resourceType": assignment.kind,
            "resourceId": assignment.resource,
            "resourceName": self.resource_name(&assignment.kind, &assignment.resource, moment).unwrap_or_default(),
        })
    }

    /// The name of a resource that can carry a tag; `None` if there is none. Object storage is not covered.
    fn resource_name(&self, kind: &str, id: &str, moment: Moment<'_>) -> Option<String> {
        match kind {
            "instance" => self.instance(id, moment.now).ok().map(|instance| instance.display_name.clone()),
            "image" => images(moment.options).into_iter().find(|image| image.id == id).map(|image| image.name),
            _ => None,
        }
    }
}

impl Assignment {
    fn is(&self, tag: i64, assigned: &Assigned) -> bool {
        self.tag == tag && self.kind == assigned.kind && self.resource == assigned.resource
    }
}

/// The schema names the link `_resource`, its examples name it by the kind; both are given.
fn links(path: &str, assigned: &Assigned) -> Value {
    let resource = match assigned.kind.as_str() {
        "image" => format!("/v1/compute/images/{}", assigned.resource),
        _ => format!("/v1/compute/instances/{}", assigned.resource),
    };
    let mut links = json!({ "self": path, "tag": format!("/v1/tags/{}", assigned.tag), "_resource": resource });
    links[assigned.kind.as_str()] = Value::from(resource);
    links
}
