//! Buying VMs for the pool by hand.

use std::sync::Arc;

use alfred_engine::{OrderError, OrderPreview, OrderedVm};
use alfred_model::id::{IntentId, VmId};
use alfred_model::money::Money;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::Shared;
use crate::auth::Administrator;
use crate::input::JsonBody;
use crate::openapi::Refused;
use crate::problem::{Code, Problem, ProblemBody};

/// The paths that get more time than others.
pub(crate) const SLOW_PATHS: [&str; 1] = ["/v1/vms/orders"];

/// More are not bought by one request.
const COUNT_MAX: u32 = 20;

/// How many VMs to buy.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"count": 2, "dry_run": true}))]
pub(crate) struct OrdersBody {
    /// How many, from 1 to 20; 1, where absent.
    #[serde(default)]
    count: Option<u32>,
    /// Say what each would cost and whether it would be held, and buy nothing.
    #[serde(default)]
    dry_run: bool,
}

/// What came of orders, or would.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Orders {
    /// Whether nothing was bought because nothing was to be.
    dry_run: bool,
    /// What a VM costs a month; null, where nobody configured it.
    #[schema(value_type = Option<String>)]
    price: Option<Money>,
    /// For how many months each is paid at once.
    months: u32,
    /// Each order.
    #[expect(clippy::struct_field_names, reason = "the name on the wire")]
    orders: Vec<OrderView>,
}

/// What came of one order, or would.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Order)]
pub(crate) struct OrderView {
    /// What came of it.
    #[schema(schema_with = crate::schema::order_outcome)]
    outcome: &'static str,
    /// The VM that was bought.
    #[schema(value_type = Option<i64>)]
    vm_id: Option<VmId>,
    /// The order's line of the ledger.
    #[schema(value_type = Option<uuid::Uuid>)]
    intent_id: Option<IntentId>,
    /// What is paid for it at once, where that is known; null, where nothing was bought for certain.
    #[schema(value_type = Option<String>)]
    cost: Option<Money>,
    /// Why it bought nothing, or why nobody knows.
    problem: Option<ProblemBody>,
}

/// Order VMs for the pool
///
/// For administrators. Each order is written down before it is sent, is subject to every cap, and has an outcome of its
/// own: `ordered`, `held` (a cap, a pause, or buying is off), `failed` (nothing was bought) or `unknown` (it is looked for
/// and never sent again). With `dry_run` they are `would_order` or `held`. Do not repeat the request when its answer was
/// lost before you have looked at the pool: it would buy once more.
#[utoipa::path(
    post, path = "/v1/vms/orders", tag = "vms", request_body = OrdersBody,
    responses(
        (status = 200, description = "What came of each order", body = Orders),
        Refused<400>, Refused<403>, Refused<413>, Refused<415>, Refused<422>,
    ),
)]
pub(crate) async fn order(
    State(app): State<Shared>,
    Administrator(caller): Administrator,
    JsonBody(body): JsonBody<OrdersBody>,
) -> Result<Json<Orders>, Problem> {
    let count = body.count.unwrap_or(1);
    if !(1..=COUNT_MAX).contains(&count) {
        let words = format!("1 to {COUNT_MAX} VMs can be ordered at once, not {count}");
        return Err(Problem::new(Code::BadCount, words).hint(format!("ask for 1 to {COUNT_MAX}")));
    }
    let previews = app.engine.preview_orders(count).await?;
    let cost = previews.first().and_then(|preview| preview.cost);
    let orders = if body.dry_run {
        previews.into_iter().map(OrderView::would_be).collect()
    } else {
        let engine = Arc::clone(&app.engine);
        // A client that hangs up must not end an order between its sending and its answer.
        let sent = tokio::spawn(async move { engine.order_vms(count, caller.user.as_str()).await }).await;
        let results = sent.map_err(|error| Problem::internal(format!("the orders ended badly: {error}")))?;
        results.into_iter().map(|result| OrderView::came(result, cost)).collect()
    };
    let rules = &app.engine.settings().policy.orders;
    Ok(Json(Orders { dry_run: body.dry_run, price: rules.price, months: rules.months, orders }))
}

impl OrderView {
    fn would_be(preview: OrderPreview) -> Self {
        match preview.hold {
            Some(hold) => Self::refused(OrderError::Held(hold)),
            None => Self { outcome: "would_order", vm_id: None, intent_id: None, cost: preview.cost, problem: None },
        }
    }

    fn came(result: Result<OrderedVm, OrderError>, cost: Option<Money>) -> Self {
        match result {
            Ok(OrderedVm { vm_id, intent }) => {
                Self { outcome: "ordered", vm_id: Some(vm_id), intent_id: Some(intent), cost, problem: None }
            }
            Err(error) => Self::refused(error),
        }
    }

    fn refused(error: OrderError) -> Self {
        let outcome = match &error {
            OrderError::Held(_) => "held",
            OrderError::Failed(_) => "failed",
            // The order may have been sent before the store failed.
            OrderError::Unknown { .. } | OrderError::Store(_) => "unknown",
        };
        let problem = Some(Problem::from(error).body());
        Self { outcome, vm_id: None, intent_id: None, cost: None, problem }
    }
}
