//! Orders: each accepted one is a VM that is paid for, also when the same request comes twice.

use serde_json::{Value, json};

use super::audit::{Change, Kind};
use super::catalogue::{ADD_ONS, DEFAULT_PRODUCT, Product, Region};
use super::fields::Fields;
use super::install::read_install;
use super::instance::{AddOn, Instance, Order};
use super::options::{OrderOutcome, SoldOut, ZeroRows};
use super::reply::{Refusal, Reply};
use super::state::{CUSTOMER, Call, Moment, State, TENANT};
use super::status::Status;
use super::time::{after, wire};

/// Licences that can be added to an order.
const LICENSES: [&str; 25] = [
    "cPanel5",
    "cPanel30",
    "cPanel50",
    "cPanel100",
    "cPanel150",
    "cPanel200",
    "cPanel250",
    "cPanel300",
    "cPanel350",
    "cPanel400",
    "cPanel450",
    "cPanel500",
    "cPanel550",
    "cPanel600",
    "cPanel650",
    "cPanel700",
    "cPanel750",
    "cPanel800",
    "cPanel850",
    "cPanel900",
    "cPanel950",
    "cPanel1000",
    "PleskAdmin",
    "PleskHost",
    "PleskPro",
];

impl State {
    pub(super) fn create_instance(&mut self, call: &Call<'_>, moment: Moment<'_>) -> Result<Reply, Refusal> {
        let Moment { now, options, random } = moment;
        let mut fields = Fields::new(&call.body);
        let product_id = fields.text("productId", 1, 255).unwrap_or(DEFAULT_PRODUCT);
        let region = read_region(&mut fields);
        let period = read_period(&mut fields);
        let display_name = fields.text("displayName", 0, 255).unwrap_or_default();
        fields.one_of("license", &LICENSES);
        let add_ons = read_add_ons(&mut fields);
        let install = read_install(&mut fields, moment);
        fields.finish()?;

        let product = offer(moment, product_id, region, period)?;
        let install = self.check_install(install, moment)?;
        self.check_cap(moment)?;
        let mut outcome = self.next_orders.front().copied().unwrap_or(OrderOutcome::Normal);
        if !self.in_stock(moment, product_id, region) {
            match options.sold_out {
                SoldOut::Accept => outcome = OrderOutcome::ProductNotAvailable,
                SoldOut::Refuse => return Err(no_offer(product_id, period)),
            }
        }

        let id = self.next_instance_id();
        let order = Order {
            id,
            display_name: display_name.to_owned(),
            product,
            region,
            period,
            add_ons,
            install,
            created_at: now,
            readable_at: after(now, options.unreadable_after_create.draw(random)),
            listed_at: after(now, options.unlisted_after_create.draw(random)),
        };
        let instance = self.allocate(order, outcome, moment)?;
        self.next_orders.pop_front();
        let reply = Reply::one(201, &receipt(&instance, moment), &format!("{}/{id}", call.path));
        *self.sold.entry(stock_key(product_id, region)).or_default() += 1;
        self.instances.insert(id, instance);
        self.note_order(call, moment, id, display_name);
        Ok(reply)
    }

    /// Plans the life of an ordered VM.
    fn allocate(&mut self, order: Order, outcome: OrderOutcome, moment: Moment<'_>) -> Result<Instance, Refusal> {
        let Moment { now, options, random } = moment;
        let id = order.id;
        let extra = order.add_ons.iter().any(|add_on| add_on.id == ADD_ONS[1].1);
        let first = match outcome {
            OrderOutcome::Normal | OrderOutcome::Error => Status::Provisioning,
            OrderOutcome::PendingPayment
            | OrderOutcome::VerificationRequired
            | OrderOutcome::ManualProvisioning
            | OrderOutcome::ProductNotAvailable => outcome.status().unwrap_or(Status::Other),
        };
        let mut instance = Instance::new(order, first);
        let delay = match outcome {
            OrderOutcome::Normal | OrderOutcome::Error => Some(options.provisioning.draw(random)),
            OrderOutcome::VerificationRequired | OrderOutcome::ManualProvisioning => {
                options.staff.map(|staff| staff.draw(random))
            }
            OrderOutcome::PendingPayment | OrderOutcome::ProductNotAvailable => None,
        };
        let Some(delay) = delay else {
            return Ok(instance);
        };
        let allocated_at = after(now, delay);
        instance.allocated_at = Some(allocated_at);
        instance.address = Some(self.give_address(id, options).ok_or_else(Refusal::server_error)?);
        if extra {
            instance.extra_address = Some(self.give_address(id, options).ok_or_else(Refusal::server_error)?);
        }
        if outcome == OrderOutcome::Error {
            instance.error_message = Some("Installation failed".to_owned());
            instance.proceed(now, [(allocated_at, Status::Error)]);
        } else {
            let running_at = after(allocated_at, options.installing.draw(random));
            instance.proceed(now, [(allocated_at, Status::Installing), (running_at, Status::Running)]);
            instance.boots(after(running_at, options.boot.draw(random)));
        }
        Ok(instance)
    }

    fn check_cap(&self, moment: Moment<'_>) -> Result<(), Refusal> {
        let count = self.instances.values().filter(|instance| instance.exists(moment.now)).count();
        if u32::try_from(count).is_ok_and(|count| count < moment.options.instance_cap) {
            return Ok(());
        }
        Err(Refusal::new(
            moment.options.instance_cap_status,
            format!("The maximum of {} instances is reached", moment.options.instance_cap),
        ))
    }

    fn in_stock(&self, moment: Moment<'_>, product: &str, region: Region) -> bool {
        let sold = self.sold.get(&stock_key(product, region)).copied().unwrap_or_default();
        moment
            .options
            .stock
            .iter()
            .filter(|stock| stock.product == product && stock.region == region)
            .all(|stock| sold < stock.count)
    }

    /// Writes the row by which a lost answer can be found again, with the quirk that is set.
    fn note_order(&mut self, call: &Call<'_>, moment: Moment<'_>, id: i64, display_name: &str) {
        let changes = json!({ "prev": {}, "new": { "displayName": display_name } });
        let zero = moment.options.zero_rows;
        if zero != ZeroRows::Never {
            self.note(call, moment, Kind::Instance, Change::Created, 0, changes.clone());
        }
        if zero != ZeroRows::Instead {
            self.note(call, moment, Kind::Instance, Change::Created, id, changes);
        }
    }
}

fn stock_key(product: &str, region: Region) -> String {
    format!("{product}/{}", region.as_str())
}

fn read_region(fields: &mut Fields<'_>) -> Region {
    let words = Region::ALL.map(Region::as_str);
    fields.one_of("region", &words).and_then(Region::parse).unwrap_or(Region::Eu)
}

fn read_period(fields: &mut Fields<'_>) -> i64 {
    fields.require("period");
    let period = fields.integer("period").unwrap_or(1);
    if !matches!(period, 1 | 12 | 24) {
        fields.complain("period must be one of the following values: 1, 12, 24".to_owned());
    }
    period
}

fn read_add_ons(fields: &mut Fields<'_>) -> Vec<AddOn> {
    let Some(wanted) = fields.object("addOns") else {
        return Vec::new();
    };
    let mut named = Fields::new(wanted);
    let mut add_ons: Vec<AddOn> =
        ADD_ONS.into_iter().filter_map(|(name, id)| named.object(name).map(|_| AddOn { id, quantity: 1 })).collect();
    for add_on in named.array("addonsIds").into_iter().flatten() {
        let id = add_on.get("id").and_then(Value::as_i64);
        let quantity = add_on.get("quantity").and_then(Value::as_i64).filter(|quantity| *quantity > 0);
        match (id, quantity) {
            (Some(id), Some(quantity)) => add_ons.push(AddOn { id, quantity }),
            _ => named.complain("each value in addonsIds must have an id and a positive quantity".to_owned()),
        }
    }
    if named.finish().is_err() {
        fields.complain("addOns must be a valid list of add-ons".to_owned());
    }
    add_ons
}

fn offer(moment: Moment<'_>, product: &str, region: Region, period: i64) -> Result<Product, Refusal> {
    moment
        .options
        .products
        .iter()
        .find(|offered| offered.id == product && offered.sold_in(region))
        .cloned()
        .ok_or_else(|| no_offer(product, period))
}

fn no_offer(product: &str, period: i64) -> Refusal {
    Refusal::new(400, format!("No offer was found for product ID '{product}' and period '{period}'"))
}

/// What an order is answered with: neither the address nor a name is in it.
fn receipt(instance: &Instance, moment: Moment<'_>) -> Value {
    let add_ons: Vec<Value> =
        instance.add_ons.iter().map(|add_on| json!({ "id": add_on.id, "quantity": add_on.quantity })).collect();
    json!({
        "tenantId": TENANT,
        "customerId": CUSTOMER,
        "instanceId": instance.id,
        "createdDate": wire(instance.created_at),
        "imageId": instance.install.image,
        "productId": instance.product.id,
        "region": instance.region.as_str(),
        "addOns": add_ons,
        "osType": instance.os_type(),
        "status": instance.status(moment.now, moment.options).as_str(),
        "sshKeys": instance.install.ssh_keys,
    })
}
