//! The SQL of a lab: what failed or was interrupted half-way goes on where it stopped; what was applied stays as it was.

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Machine, until};

const MANIFEST: &str = "lab: books
description: a database and nothing else
stacks: [network, storage, aurora]
sql: {path: sql, cluster: aurora}
";

fn query(machine: &Machine, statement: &str) -> Value {
    machine.json(&["sql", ".", "--local", "-e", statement])["rows"].clone()
}

/// How many statements the ledger has as applied; none while there is no ledger.
fn applied(machine: &Machine) -> i64 {
    let count = "SELECT COUNT(applied) AS n FROM labctl_ledger";
    let said = machine.run(&["sql", ".", "--local", "--output", "json", "-e", count]);
    serde_json::from_str::<Value>(&said.out).ok().and_then(|rows| rows["rows"][0]["n"].as_i64()).unwrap_or(0)
}

#[test]
fn sql_goes_on_at_the_statement_that_failed_or_was_interrupted_and_never_runs_one_twice() {
    let machine = Machine::new();
    machine.write("lab.yaml", MANIFEST);
    let begin = "CREATE TABLE books (title VARCHAR(40));\nINSERT INTO books VALUES ('one');\n";
    machine.write(
        "sql/001_books.sql",
        format!("{begin}INSERT INTO boks VALUES ('two');\nINSERT INTO books VALUES ('three');\n"),
    );
    let up = ["up", ".", "--local"];

    let said = machine.run(&up).ended(1);
    let told = "001_books.sql:3: statement 3 (INSERT INTO BOKS VALUES …) failed; statements 1 to 2 are committed";
    assert!(said.contains(told) && said.contains("boks"), "{said}");
    assert_eq!(query(&machine, "SELECT title FROM books"), serde_json::json!([{"title": "one"}]));

    // The failed statement may be repaired, and what follows it.
    machine.write(
        "sql/001_books.sql",
        format!("{begin}INSERT INTO books VALUES ('two');\nINSERT INTO books VALUES ('tree');\n"),
    );
    machine.well(&up);
    let titles = query(&machine, "SELECT GROUP_CONCAT(title ORDER BY title) AS all_titles FROM books");
    assert_eq!(titles[0]["all_titles"], "one,tree,two");

    // What was applied may not.
    for (changed, told) in [
        (
            format!("{begin}INSERT INTO books VALUES ('2');\n"),
            "001_books.sql:3: statement 3 (INSERT INTO BOOKS VALUES …) was applied already and has been changed since",
        ),
        (begin.to_owned(), "001_books.sql has 2 statements and 4 were applied already"),
    ] {
        machine.write("sql/001_books.sql", changed);
        let said = machine.run(&up).ended(1);
        assert!(said.contains(told), "{said}");
        let said = machine.run(&["sql", ".", "--local", "sql"]).ended(1);
        assert!(said.contains(told), "{said}");
    }
    machine.write(
        "sql/001_books.sql",
        format!("{begin}INSERT INTO books VALUES ('two');\nINSERT INTO books VALUES ('tree');\n"),
    );

    // Killed while a statement runs: everything before it is recorded, and it is run again.
    machine.write("sql/002_more.sql", "CREATE TABLE loans (book VARCHAR(40));\nINSERT INTO loans VALUES ('one');\nINSERT INTO loans SELECT IF(SLEEP(2), 'x', 'two');\nCREATE TABLE lenders (name VARCHAR(40));\nINSERT INTO loans VALUES ('three');\n");
    for (signal, code) in [(Signal::KILL, None), (Signal::INT, Some(130))] {
        let run = machine.start(&up);
        until("two statements of the second file are applied", || applied(&machine) == 6);
        run.signal(signal);
        let (ended, said) = run.wait();
        assert_eq!(ended, code, "{said}");
    }
    machine.well(&up);
    let loans = query(&machine, "SELECT GROUP_CONCAT(book ORDER BY book) AS books FROM loans");
    assert_eq!(loans[0]["books"], "one,three,two");
    assert_eq!(applied(&machine), 9);
    let again = machine.well(&["sql", ".", "--local", "sql"]);
    assert_eq!(again, "0 statements applied, 9 applied before\n");

    input(&machine);
    machine.well(&["down", ".", "--local", "--yes"]);
    machine.well(&["local", "stop"]);
    machine.is_quiet();
}

/// What `sql` is given wrongly.
fn input(machine: &Machine) {
    machine.write("empty/readme.txt", "no SQL here");
    machine.write("bad.sql", "SELECT 'no end");
    machine.write("latin.sql", b"SELECT '\xe9';");
    machine.write("nothing.sql", "-- nothing\n;;\n");
    let cases: &[(&[&str], &str)] = &[
        (&["-f", "missing.sql"], "cannot read `missing.sql`"),
        (&["nowhere"], "cannot read the folder `nowhere`"),
        (&["empty"], "`empty` has no files that end in .sql"),
        (&["-f", "bad.sql"], "the string that begins at line 1, column 8 does not end"),
        (&["-f", "latin.sql"], "cannot read `latin.sql`"),
        (&["-f", "nothing.sql"], "there is no statement to run"),
        (&["-e", ""], "there is no statement to run"),
    ];
    for (args, told) in cases {
        let said = machine.run(&[&["sql", ".", "--local"], *args].concat()).ended(2);
        assert!(said.contains(told), "{args:?}: {said}");
    }
    let said =
        machine.run(&["sql", ".", "--local", "-e", "INSERT INTO loans VALUES ('four'); SELEC 1; SELECT 2"]).ended(1);
    assert!(
        said.contains("statement failed on line 1: SELEC 1") && said.contains("the statement before it is committed"),
        "{said}"
    );
    let said = machine.run(&["outputs", "boks", "--local"]).ended(2);
    assert!(said.contains("did you mean `books`?"), "{said}");
    let said = machine.run(&["outputs", ".", "--local", "LabBuckets"]).ended(2);
    assert!(said.contains("has no output called `LabBuckets`"), "{said}");
    let said = machine.run(&["down", "boks", "--local", "--yes"]).ended(2);
    assert!(said.contains("(did you mean `books`?)"), "{said}");
    assert_eq!(query(machine, "SELECT COUNT(*) AS n FROM loans")[0]["n"], 4);
}
