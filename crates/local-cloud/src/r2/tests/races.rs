//! Two clients at once.

use super::Stage;

/// 500 keys, two clients for each: exactly one of them makes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_create_one_wins() {
    let stage = std::sync::Arc::new(Stage::new().await);
    for round in 0..500 {
        let uri = format!("/states/lock-{round}");
        let tasks = ["one", "two"].map(|body| {
            let (stage, uri) = (std::sync::Arc::clone(&stage), uri.clone());
            tokio::spawn(async move { (stage.s3("PUT", &uri, &[("if-none-match", "*")], body).await.status, body) })
        });
        let mut statuses = Vec::new();
        let mut winner = "";
        for task in tasks {
            let (status, body) = task.await.unwrap();
            statuses.push(status);
            winner = if status == 200 { body } else { winner };
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412], "round {round}");
        assert_eq!(stage.s3("GET", &uri, &[], "").await.body, winner, "round {round}");
    }
}

/// A counter that eight clients move by compare-and-set loses no step.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compare_and_set_loses_no_update() {
    let stage = std::sync::Arc::new(Stage::new().await);
    stage.s3("PUT", "/states/count", &[], "0").await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let stage = std::sync::Arc::clone(&stage);
            tokio::spawn(async move {
                let mut done = 0;
                while done < 20 {
                    let got = stage.s3("GET", "/states/count", &[], "").await;
                    let etag = got.header("etag").to_owned();
                    let count: u32 = std::str::from_utf8(&got.body).unwrap().parse().unwrap();
                    let put = stage.s3("PUT", "/states/count", &[("if-match", &etag)], (count + 1).to_string()).await;
                    done += u32::from(put.status == 200);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(stage.s3("GET", "/states/count", &[], "").await.body, "160");
}
