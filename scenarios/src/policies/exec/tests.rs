use super::*;
use crate::graph::tests::view as links;
use crate::policy::{Figure, Measured, Reason};
use bellini_core::ids::SessionKey;
use serde_json::json;

/// Asks a shell script for routes.
fn ask(policy: &mut Exec, script: &str, limit: &str) -> Result<Vec<String>, String> {
    let (view, node) = (links(&[(1, 2, 5), (2, 3, 5)]), |id| NodeId::new(id).expect("a legal id"));
    let parameters =
        json!({"exec": ["sh", "-c", script], "time_limit": limit, "mine": 7}).as_object().cloned();
    let parameters = parameters.expect("an object").into_iter().collect();
    let request = Request {
        session: SessionKey::new(1, 2),
        source: node(1),
        destinations: &[node(3)],
        rate: BitRate::from_bps(1_000),
        reason: Reason::Topology,
        view: &view,
        parameters: &parameters,
    };
    let routes = policy.routes(&request).map_err(|error| error.to_string())?;
    Ok(routes.iter().map(|choice| choice.route.to_string()).collect())
}

/// Aim: one program answers question after question; it sees what the page says it sees.
#[test]
fn a_program_answers_questions() {
    let mut policy = Exec::default();
    let script = r#"n=0; while read -r line; do n=$((n+1))
        case "$line" in *'"ask":"routes"'*'"session":"1/2","source":1,"destinations":[3],"rate_bps":1000,"reason":"topology","parameters":{"mine":7},"view":{"nodes":[{"id":1,'*'"links":[{"from":1,"to":2,"delay_ms":5.0,'*) ;; *) echo '{"error": "what?"}'; continue;; esac
        if [ $n = 1 ]; then echo '{"id": 1, "routes": [{"route": "2>3d", "rate_bps": 5}]}'
        else echo '{"routes": [{"route": "2>3d"}, {"route": "3d"}]}'; fi; done"#;
    assert_eq!(ask(&mut policy, script, "5 s"), Ok(vec!["2>3d".to_owned()]));
    assert_eq!(ask(&mut policy, script, "5 s"), Ok(vec!["2>3d".to_owned(), "3d".to_owned()]));
}

/// Aim: demands of all sessions and measured figures with age, error and origin reach the program, in the units of the
/// page; `exec` itself does not, and what is not known is null.
#[test]
fn a_question_carries_sessions_and_measured_figures() {
    let node = |id| NodeId::new(id).expect("a legal id");
    let mut view = links(&[(1, 2, 5), (2, 3, 5)]);
    let (age, by) = (Duration::from_millis(1_500), MeasuredBy::Probe);
    view.links[0].measured = Some(Measured {
        rtt: Some(Figure { value: 0.012, error: Some(0.001), age, by }),
        loss: None,
        rate: Some(Figure { value: 5e6, error: None, age: Duration::ZERO, by: MeasuredBy::Train }),
    });
    view.nodes[0].egress = BitRate::from_bps(4_000_000);
    let parameters: BTreeMap<String, Value> =
        [("exec".to_owned(), json!(["x"])), ("mine".to_owned(), json!(7))].into();
    view.sessions = vec![ViewSession {
        key: SessionKey::new(1, 3),
        source: node(2),
        destinations: vec![node(1), node(3)],
        rate: BitRate::from_bps(2_000_000),
        start: Duration::from_secs(1),
        stop: Duration::from_millis(9_500),
        delay_bound: Some(Duration::from_millis(150)),
        coding: None,
        symbol_bytes: 1_200,
        header_bytes: 104,
        policy: "exec".to_owned(),
        parameters: parameters.clone(),
    }];
    let request = Request {
        session: SessionKey::new(1, 2),
        source: node(1),
        destinations: &[node(3)],
        rate: None,
        reason: Reason::Start,
        view: &view,
        parameters: &parameters,
    };
    let asked: Value = serde_json::from_str(&question(1, &request, None)).expect("it is JSON");
    assert_eq!(
        asked["view"]["sessions"],
        json!([{
            "session": "1/3", "source": 2, "destinations": [1, 3], "rate_bps": 2_000_000, "start_s": 1.0,
            "stop_s": 9.5, "delay_bound_ms": 150.0, "coded": false, "symbol_bytes": 1_200,
            "header_bytes": 104, "policy": "exec", "parameters": {"mine": 7}
        }])
    );
    let (first, second) = (&asked["view"]["links"][0], &asked["view"]["links"][1]);
    assert_eq!(
        first["measured"],
        json!({
            "rtt_ms": {"value": 12.0, "error": 1.0, "age_s": 1.5, "by": "probe"},
            "loss": null,
            "rate_bps": {"value": 5e6, "error": null, "age_s": 0.0, "by": "train"}
        })
    );
    assert!(second.get("measured").is_none());
    assert_eq!(asked["view"]["nodes"][0]["egress_bps"], 4_000_000);
    assert!(asked["view"]["nodes"][1]["egress_bps"].is_null());
}

/// Aim: a program says by its answer whether it is to be asked again when other sessions change.
#[test]
fn a_program_may_mind_others() {
    let answer =
        |more: &str| format!("read -r l; echo '{{\"routes\": [{{\"route\": \"2>3d\"}}]{more}}}'; read -r l");
    for (more, minds) in [("", false), (", \"minds_others\": true", true)] {
        let mut policy = Exec::default();
        ask(&mut policy, &answer(more), "5 s").expect("it answers");
        assert_eq!(policy.minds_others(), minds);
    }
}

/// Aim: the time limit holds for the question, too: a program that does not read stops nobody, however long the
/// question is.
#[test]
fn a_program_that_does_not_read_is_late() {
    let mut running = Exec::default();
    let command: Vec<String> = ["sleep", "100"].map(str::to_owned).into();
    // More than any pipe holds.
    let line = "x".repeat(4 << 20);
    let silence = running.exchange(&command, line, Duration::from_millis(200)).expect_err("it sleeps");
    assert!(matches!(silence, Silence::Late(_)));
}

/// Aim: whatever a program does wrong is an error that names it, and the next question finds a new one.
#[test]
fn what_a_program_does_wrong_is_said() {
    for (script, piece) in [
        ("exit 3", "it ended (exit status: 3)"),
        ("read -r l; echo nonsense", "cannot be read"),
        ("read -r l; echo '{\"routes\": [{\"route\": \"2>>3\"}]}'", "2>>3"),
        ("read -r l; echo '{\"shares\": [1]}'", "without `routes`"),
        ("read -r l; echo '{\"error\": \"too dear\"}'", "too dear"),
        ("read -r l; echo '{\"id\": 9, \"routes\": []}'", "another question"),
        ("read -r l; printf '{\"routes\": '", "cut short"),
    ] {
        let error = ask(&mut Exec::default(), script, "5 s").expect_err(script);
        assert!(error.starts_with("policy program `sh -c ") && error.contains(piece), "{error}");
    }
    let mut policy = Exec::default();
    let script = "read -r l; case $l in *'\"routes\",\"id\":1,'*) read -r never;; *) echo '{\"routes\": [{\"route\": \"2>3d\"}]}';; esac";
    let error = ask(&mut policy, script, "50 ms").expect_err("it waits");
    assert!(error.contains("does not answer within"), "{error}");
    assert_eq!(ask(&mut policy, script, "5 s"), Ok(vec!["2>3d".to_owned()]));
}
