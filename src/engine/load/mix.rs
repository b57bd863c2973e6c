//! What is sent: requests of several kinds, drawn by their weights.

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Uri};

use super::body::Body;
use super::dice::Dice;
use crate::engine::http::HttpError;

/// Tells from status and body whether an answer is right, and if not, what kind of error it is.
pub type Judge = Arc<dyn Fn(u16, &Bytes) -> Result<(), String> + Send + Sync>;

/// Adds to the headers of a request what only its body and the hour can tell: a signature.
pub type Signer = Arc<dyn Fn(&mut http::Request<Bytes>) -> Result<(), String> + Send + Sync>;

/// One kind of request.
#[derive(Clone)]
pub struct Request {
    /// How often it is drawn among the others.
    pub weight: u32,
    pub method: Method,
    /// The whole address.
    pub uri: Uri,
    /// What stands after it, where that differs from request to request.
    pub path: Option<Body>,
    pub headers: HeaderMap,
    pub body: Option<Body>,
    pub judge: Judge,
    pub signer: Option<Signer>,
}

/// Requests of several kinds, all to one place.
pub struct Mix {
    requests: Vec<Request>,
    /// The sum of the weights.
    sum: u64,
    pub(super) uri: Uri,
}

impl Mix {
    /// # Errors
    /// There is no request, or an address has no host.
    pub fn new(mut requests: Vec<Request>) -> Result<Self, HttpError> {
        let uri = requests.first().map(|request| request.uri.clone()).unwrap_or_default();
        for request in &mut requests {
            let wrong = || HttpError::Address(request.uri.to_string());
            let authority = request.uri.authority().ok_or_else(wrong)?;
            if Some(authority) != uri.authority() || request.uri.scheme() != uri.scheme() {
                return Err(wrong());
            }
            if !request.headers.contains_key(HOST) {
                let host = HeaderValue::from_str(authority.as_str()).map_err(|_| wrong())?;
                request.headers.insert(HOST, host);
            }
            // Over a connection of one's own only the path is said.
            if request.signer.is_none() {
                let path = request.uri.path_and_query().map_or("/", |path| path.as_str());
                request.uri = path.parse().map_err(|_| wrong())?;
            }
        }
        let sum = requests.iter().map(|request| u64::from(request.weight)).sum();
        if sum == 0 { Err(HttpError::Address(String::new())) } else { Ok(Mix { requests, sum, uri }) }
    }

    /// The request of a number, and its index. The same number gives the same request.
    pub(super) fn request(&self, number: u64, into: &mut BytesMut) -> Result<(usize, http::Request<Bytes>), String> {
        let mut dice = Dice::new(number);
        let index = self.draw(&mut dice);
        let kind = &self.requests[index];
        let body = match &kind.body {
            Some(body) => {
                body.write(&mut dice, into);
                into.split().freeze()
            }
            None => Bytes::new(),
        };
        let mut request = http::Request::new(body);
        *request.method_mut() = kind.method.clone();
        *request.uri_mut() = match &kind.path {
            Some(path) => below(&kind.uri, path, &mut dice, into)?,
            None => kind.uri.clone(),
        };
        *request.headers_mut() = kind.headers.clone();
        if let Some(signer) = &kind.signer {
            signer(&mut request)?;
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            *request.uri_mut() = path.parse().map_err(|_| "address".to_owned())?;
        }
        Ok((index, request))
    }

    fn draw(&self, dice: &mut Dice) -> usize {
        // One kind alone leaves the dice to its body.
        if self.requests.len() == 1 {
            return 0;
        }
        let mut drawn = dice.roll() % self.sum;
        let mut fits = |request: &Request| {
            let here = drawn < u64::from(request.weight);
            drawn = drawn.saturating_sub(u64::from(request.weight));
            here
        };
        self.requests.iter().position(&mut fits).unwrap_or(0)
    }

    pub(super) fn judge(&self, index: usize, status: u16, body: &Bytes) -> Result<(), String> {
        (self.requests[index].judge)(status, body)
    }

    pub(super) fn kinds(&self) -> usize {
        self.requests.len()
    }
}

fn below(uri: &Uri, path: &Body, dice: &mut Dice, into: &mut BytesMut) -> Result<Uri, String> {
    into.put_slice(uri.to_string().trim_end_matches('/').as_bytes());
    path.write(dice, into);
    Uri::from_maybe_shared(into.split().freeze()).map_err(|_| "address".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::lab::model::Sample;

    fn request(weight: u32, uri: &'static str) -> Request {
        Request {
            weight,
            method: Method::POST,
            uri: Uri::from_static(uri),
            path: None,
            headers: HeaderMap::new(),
            body: Some(Body::of(&Sample::Constant(json!({"a": 1})))),
            judge: Arc::new(|_, _| Ok(())),
            signer: None,
        }
    }

    #[test]
    fn kinds_are_drawn_by_weight_the_same_for_the_same_number() {
        let mix = Mix::new(vec![request(1, "http://h:1/rare?x=1"), request(9, "http://h:1/often")]).unwrap();
        let mut buffer = BytesMut::new();
        let mut drawn = |number| mix.request(number, &mut buffer).unwrap();
        let rare = (0..10_000).filter(|number| drawn(*number).0 == 0).count();
        assert!((900..1100).contains(&rare), "{rare}");
        let (index, one) = drawn(5);
        assert_eq!((index, one.headers()[HOST].to_str().unwrap()), (drawn(5).0, "h:1"));
        assert!(["/rare?x=1", "/often"].contains(&one.uri().to_string().as_str()) && one.body() == "{\"a\":1}");
    }

    #[test]
    fn requests_to_two_places_are_no_mix() {
        assert!(Mix::new(vec![request(1, "http://h:1/"), request(1, "http://h:2/")]).is_err());
        assert!(Mix::new(vec![request(1, "/no-host")]).is_err());
        assert!(Mix::new(Vec::new()).is_err());
    }

    #[test]
    fn a_path_differs_from_request_to_request() {
        let part = |text: &str| Sample::Constant(json!(text));
        let path = Sample::Text(vec![part("/ec2/load-"), Sample::Integer { from: 0, to: i64::MAX }, part("?a=%20")]);
        for (uri, base) in [("http://h:1/stage", "/stage"), ("http://h:1", "")] {
            let signer: Signer = Arc::new(|request| {
                assert_eq!(request.uri().host(), Some("h"));
                Ok(())
            });
            for signer in [None, Some(signer)] {
                let mix = Mix::new(vec![Request { path: Some(Body::plain(&path)), signer, ..request(1, uri) }]);
                let (mix, mut buffer) = (mix.unwrap(), BytesMut::new());
                let mut sent = |number| mix.request(number, &mut buffer).unwrap().1;
                let (one, two) = (sent(0), sent(1));
                let begins = format!("{base}/ec2/load-");
                assert!(one.uri().to_string().starts_with(&begins) && one.uri().query() == Some("a=%20"), "{one:?}");
                assert!(one.uri() != two.uri() && *one.uri() == *sent(0).uri() && one.body() == "{\"a\":1}");
            }
        }
    }

    #[test]
    fn a_signer_sees_the_whole_address_and_the_body() {
        let signer: Signer = Arc::new(|request| {
            let seen = format!("{} {}", request.uri(), request.body().len());
            request.headers_mut().insert("x-seen", seen.parse().map_err(|_| "header")?);
            Ok(())
        });
        let mix = Mix::new(vec![Request { signer: Some(signer), ..request(1, "http://h:1/a?b=c") }]).unwrap();
        let (_, sent) = mix.request(0, &mut BytesMut::new()).unwrap();
        assert_eq!(
            (sent.headers()["x-seen"].to_str().unwrap(), sent.uri().to_string()),
            ("http://h:1/a?b=c 7", "/a?b=c".into())
        );
    }
}
