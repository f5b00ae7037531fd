//! `alfred state init --r2`: a bucket for Terraform's own `s3` backend.

use std::process::Command;

use crate::place::Place;

#[test]
fn a_bucket_is_made_shown_to_work_and_used_by_terraform_itself() {
    if !alfred_testing::terraform::is_there() {
        return;
    }
    let mut place = Place::new();
    let cloud = place.start("cloud --instant --listen 127.0.0.1:0 --dns 127.0.0.1:0 --r2 127.0.0.1:0");
    place.point_at(&cloud);
    for name in ["CLOUDFLARE_ACCOUNT_ID", "R2_ENDPOINT", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        place.set(name, cloud.told(name));
    }
    let missing = place.line("state init team/a --r2 my-states");
    assert_eq!(missing.code, 1, "{missing:?}");
    assert!(missing.one_line().contains("my-states") && missing.one_line().contains("create"), "{missing:?}");

    let line = "state init team/a --r2 my-states --create --location weur --lock-versions 30 --cors https://a.example";
    let made = place.line(line);
    assert_eq!(made.code, 0, "{made:?}");
    assert!(
        made.stderr.contains("`my-states` is made") && made.stderr.contains("one lock is given to one only"),
        "{made:?}"
    );
    assert!(!made.stdout.contains(&cloud.told("AWS_SECRET_ACCESS_KEY")), "{made:?}");
    let again = place.line(&format!("{line} --json"));
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.stderr.contains("is there already"), "{again:?}");

    let told: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    let folder = place.path().join("work");
    std::fs::create_dir(&folder).unwrap();
    let block = told["backend"].as_str().unwrap();
    std::fs::write(
        folder.join("main.tf"),
        format!("{block}\nresource \"terraform_data\" \"a\" {{ input = \"one\" }}\n"),
    )
    .unwrap();
    std::fs::write(folder.join("empty.rc"), "").unwrap();
    for arguments in [&["init", "-input=false"][..], &["apply", "-auto-approve"], &["plan", "-detailed-exitcode"]] {
        // R2 takes one write a second for each key, and Terraform's lock is one key.
        std::thread::sleep(std::time::Duration::from_millis(1_200));
        let output = Command::new("terraform")
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", place.path())
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_CLI_CONFIG_FILE", folder.join("empty.rc"))
            .env("AWS_ACCESS_KEY_ID", cloud.told("AWS_ACCESS_KEY_ID"))
            .env("AWS_SECRET_ACCESS_KEY", cloud.told("AWS_SECRET_ACCESS_KEY"))
            .current_dir(&folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    // What Terraform's own backend wrote becomes a state, with its lineage and serial.
    let quoted = |name: &str| {
        let line = block.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
        line.split('"').nth(1).unwrap().to_owned()
    };
    let (bucket, key) = (quoted("bucket"), quoted("key"));
    let target = place.path().join("moved");
    let nameless = place.line(&format!("state migrate r2-object://{bucket}/{key} {}", target.display()));
    assert!(nameless.code == 2 && nameless.one_line().contains("needs a name"), "{nameless:?}");
    let none = place.line(&format!("state migrate r2-object://{bucket}/none {} --state team/a", target.display()));
    assert!(none.code == 1 && none.one_line().contains(&format!("there is no r2 {bucket}/none")), "{none:?}");
    let empty = place.line(&format!("state migrate r2://{bucket} {}", target.display()));
    assert!(empty.code == 0 && empty.stderr.contains("`r2-object://BUCKET/KEY`"), "{empty:?}");
    let line = format!("state migrate r2-object://{bucket}/{key} {} --state team/a --json", target.display());
    let moved = place.line(&line);
    assert_eq!(moved.code, 0, "{moved:?}");
    let moved: serde_json::Value = serde_json::from_str(&moved.stdout).unwrap();
    let version = &moved["states"]["team/a"];
    assert!(
        version["serial"] == 1 && version["lineage"].as_str().is_some_and(|lineage| lineage.len() == 36),
        "{moved}"
    );
    let again = place.line(&line);
    assert_eq!((again.code, &again.stdout), (0, &format!("{moved:#}\n")), "the same once more is no error: {again:?}");
}
