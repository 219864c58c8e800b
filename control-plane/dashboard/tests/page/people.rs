//! Accounts, in both databases.

use creto_dashboard::people::{PeopleDesk, PeopleError, Role};
use creto_test_services::PostgresServer;
use tempfile::TempDir;

use crate::world::{PASSWORD, now, person};

#[tokio::test]
async fn accounts_are_kept_the_same_way_in_a_file_and_on_a_server() {
    let (folder, server) = (TempDir::new().unwrap(), PostgresServer::start().await);
    let path = folder.path().join("people.db");
    for people in
        [PeopleDesk::sqlite(&path).await.unwrap(), PeopleDesk::postgres(&server.url()).await.unwrap()]
    {
        people.add("default", &person("bob"), Role::Approver, PASSWORD, now()).await.unwrap();
        people.add("other", &person("bob"), Role::Viewer, "another horse battery", now()).await.unwrap();
        let again = people.add("default", &person("bob"), Role::Admin, PASSWORD, now()).await;
        assert!(matches!(again, Err(PeopleError::Exists { .. })));
        for (namespace, password) in
            [("", PASSWORD), ("Upper", PASSWORD), ("default", "short"), ("default", &"x".repeat(1_025))]
        {
            assert!(
                people.add(namespace, &person("carol"), Role::Viewer, password, now()).await.is_err(),
                "{namespace}"
            );
        }
        assert!(people.knows("default", "bob", PASSWORD).await.unwrap());
        assert!(!people.knows("other", "bob", PASSWORD).await.unwrap());
        assert!(!people.knows("default", "carol", PASSWORD).await.unwrap());
        for (namespace, name) in [("default", "bob\0"), ("default\0", "bob"), ("", ""), ("default", "Bob")] {
            assert!(!people.knows(namespace, name, PASSWORD).await.unwrap(), "{name:?}");
        }
        let token = people.begin_session("default", "bob", now()).await.unwrap();
        let who = people.session(&token, true, now()).await.unwrap().unwrap();
        assert_eq!(
            (who.namespace.as_str(), who.person, who.role),
            ("default", person("bob"), Role::Approver)
        );
        people.disable("default", &person("bob"), now()).await.unwrap();
        assert_eq!(people.session(&token, true, now()).await.unwrap(), None);
        assert!(!people.knows("default", "bob", PASSWORD).await.unwrap());
        assert!(people.list("default").await.unwrap()[0].disabled);
        assert!(people.knows("other", "bob", "another horse battery").await.unwrap());
        people.enable("default", &person("bob"), now()).await.unwrap();
        let token = people.begin_session("default", "bob", now()).await.unwrap();
        people.remove("default", &person("bob")).await.unwrap();
        assert_eq!(people.session(&token, true, now()).await.unwrap(), None);
        assert!(matches!(people.remove("default", &person("bob")).await, Err(PeopleError::Unknown { .. })));
        assert!(
            people.list("default").await.unwrap().is_empty()
                && people.list("other").await.unwrap().len() == 1
        );
    }
}

#[tokio::test]
async fn a_name_that_there_is_not_takes_as_long_as_one_that_there_is() {
    let folder = TempDir::new().unwrap();
    let people = PeopleDesk::sqlite(&folder.path().join("people.db")).await.unwrap();
    people.add("default", &person("bob"), Role::Approver, PASSWORD, now()).await.unwrap();
    let mut took = Vec::new();
    for name in ["bob", "nobody"] {
        let mut least = std::time::Duration::MAX;
        for _ in 0..5 {
            let begun = std::time::Instant::now();
            assert!(!people.knows("default", name, "wrong horse battery").await.unwrap());
            least = least.min(begun.elapsed());
        }
        took.push(least.as_secs_f64());
    }
    // Without the same work it is a hundred times less.
    assert!(took[1] > took[0] / 3.0 && took[0] > took[1] / 3.0, "{took:?}");
}

#[tokio::test]
async fn two_programs_have_the_file_open_and_each_sees_what_the_other_did() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("people.db");
    let (page, command) =
        (PeopleDesk::sqlite(&path).await.unwrap(), PeopleDesk::sqlite(&path).await.unwrap());
    command.add("default", &person("bob"), Role::Approver, PASSWORD, now()).await.unwrap();
    assert!(page.knows("default", "bob", PASSWORD).await.unwrap());
    let token = page.begin_session("default", "bob", now()).await.unwrap();
    command.disable("default", &person("bob"), now()).await.unwrap();
    assert_eq!(page.session(&token, true, now()).await.unwrap(), None);
}
