//! What ends as an error and not with the process: a stack that overflows takes the whole local cloud with it.

use super::{Template, TemplateError, try_run, try_with};

/// Half of what a worker has, of which the server takes its part.
const STACK: usize = 1 << 20;

fn on_half_a_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(STACK).spawn(test).unwrap().join().unwrap();
}

fn nested(open: &str, inner: &str, close: &str, levels: usize) -> String {
    open.repeat(levels) + inner + &close.repeat(levels)
}

#[test]
fn filters_in_filters_end_in_an_error_when_put_and_when_asked_for() {
    on_half_a_stack(|| {
        let path = format!("${}", nested("[?(@", ".a", ")]", 5000));
        match Template::parse(&format!("$input.path('{path}')")) {
            Err(TemplateError::Unsupported(why)) => assert!(why.contains("the filter is nested too deeply"), "{why}"),
            other => panic!("{other:?}"),
        }
        let body = format!(r#"{{"where": "{path}"}}"#);
        for template in ["$input.path($input.path('$.where'))", "$input.json($input.path('$.where'))"] {
            let error = try_with(template, &body).unwrap_err();
            assert!(error.contains("the filter is nested too deeply"), "{error}");
        }
    });
}

#[test]
fn all_that_can_be_nested_fits_on_half_a_workers_stack() {
    on_half_a_stack(|| {
        let set = |value: String| format!("#set($l = [0])#set($x = {value})");
        for template in [
            set(nested("(", "1", ")", 64)),
            set(nested("!(", "true", ")", 64)),
            set(nested("1 + (", "1", ")", 64)),
            set(nested("[", "1", "]", 64)),
            set(nested("{'a': ", "1", "}", 64)),
            set(nested("$l.get(", "0", ")", 64)),
            set(nested("$l[", "0", "]", 64)),
            nested("#if(true)", "x", "#end", 64),
            nested("#foreach($x in [1])", "x", "#end", 63),
        ] {
            if let Err(error) = try_run(&template) {
                panic!("{template}: {error}");
            }
        }
        let calls = nested("$l.get(", "\"$n#again($n)\"", ")", 60);
        let lists = nested("[{'a': ", "\"$n#again($n)\"", "}]", 30);
        for template in [
            "#macro(again $n)#again($n)#end#again(1)".to_owned(),
            "#define($again)$again#end$again".to_owned(),
            "#set($t = '#evaluate($t)')#evaluate($t)".to_owned(),
            "#macro(again $n)#foreach($i in [1])#if($n)#again($n)#end#end#end#again(1)".to_owned(),
            "#macro(again $n)#set($x = 'a' + (1 + (\"#again($n)\" + 2)))#end#again(1)".to_owned(),
            "#set($l = [0])#macro(again $n)$l.get($l.get(\"$n#again($n)\"))#end#again(1)".to_owned(),
            format!("#set($l = [0])#macro(again $n){calls}#end#again(1)"),
            format!("#macro(again $n)#set($x = {lists})#end#again(1)"),
        ] {
            let error = try_run(&template).unwrap_err();
            assert!(error.contains("deep"), "{template}: {error}");
        }
    });
}

/// Where a template stands deepest it reads another one, and a path, and looks at the deepest values.
#[test]
fn what_is_read_at_the_deepest_place_fits_as_well() {
    on_half_a_stack(|| {
        let body =
            format!(r#"{{"list": {}, "map": {}}}"#, nested("[", "1", "]", 120), nested("{\"a\":", "1", "}", 120));
        let path = format!("$.list{}", nested("[?(@", "[0]", ")]", 32));
        for read in [
            format!("#set($t = '#set($y = {})')#macro(again $n)#evaluate($t)#again($n)#end", nested("(", "1", ")", 60)),
            format!("#set($p = '{path}')#macro(again $n)#set($y = $input.path($p))#again($n)#end"),
            "#set($x = $input.path('$.map'))#macro(again $n)#set($y = \"$x\")#again($n)#end".to_owned(),
            "#set($x = $input.path('$.list'))#macro(again $n)#set($y = \"$x\")#again($n)#end".to_owned(),
            "#macro(again $n)#if($input.path('$') == $input.path('$'))#end#again($n)#end".to_owned(),
            "#macro(again $n)#set($y = $util.parseJson($input.json('$')))#again($n)#end".to_owned(),
        ] {
            let error = try_with(&format!("{read}#again(1)"), &body).unwrap_err();
            assert!(error.contains("leads too deep"), "{read}: {error}");
        }
    });
}

#[test]
fn what_is_walked_over_and_read_is_paid_for() {
    let numbers: Vec<usize> = (0..20_000).collect();
    let body = format!(r#"{{"items": {numbers:?}, "a": {{}}}}"#);
    let often = |round: &str| format!("#set($l = $input.path('$.items'))#foreach($i in [1..1000]){round}#end");
    for round in [
        "$input.json('$..none')",
        "$input.path('$.items[?(@ == 20001)].y')",
        "#if($l.contains('x'))#end",
        "#set($s = 'a')#if($s.matches(\"(\\w\\W$i){10}\"))#end",
    ] {
        let error = try_with(&often(round), &body).unwrap_err();
        assert!(error.contains("too many steps"), "{round}: {error}");
    }
    // What is written out is read once, and what leads straight to a value costs next to nothing.
    for round in [
        "$input.path('$.items[7]')",
        "#set($s = 'a')#if($s.matches('(\\w\\W){10}'))#end",
        "#foreach($x in $l)#break#end",
    ] {
        try_with(&often(round), &body).unwrap_or_else(|error| panic!("{round}: {error}"));
    }
}
