//! The three APIs and where they live below a base URL.

use hyper::Uri;

use crate::core::{Error, ErrorKind};

/// A wire API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireApi {
    /// Anthropic Messages.
    AnthropicMessages,
    /// OpenAI Chat Completions and everything compatible with it.
    OpenAiCompletions,
    /// OpenAI Responses.
    OpenAiResponses,
}

impl WireApi {
    /// By its name in configuration.
    pub fn parse(name: &str, provider: &str) -> Result<Self, Error> {
        Ok(match name {
            "anthropic-messages" => Self::AnthropicMessages,
            "openai-completions" => Self::OpenAiCompletions,
            "openai-responses" => Self::OpenAiResponses,
            other => {
                return Err(Error::new(
                    ErrorKind::Config,
                    format!("models.providers.{provider} names an unknown API: {other:?}"),
                )
                .hint("set models.providers.<id>.api to anthropic-messages, openai-completions or openai-responses"));
            }
        })
    }

    /// The name in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AnthropicMessages => "anthropic-messages",
            Self::OpenAiCompletions => "openai-completions",
            Self::OpenAiResponses => "openai-responses",
        }
    }

    fn default_base(self) -> &'static str {
        match self {
            Self::AnthropicMessages => "https://api.anthropic.com",
            Self::OpenAiCompletions | Self::OpenAiResponses => "https://api.openai.com/v1",
        }
    }

    fn operation(self) -> &'static str {
        match self {
            Self::AnthropicMessages => "/messages",
            Self::OpenAiCompletions => "/chat/completions",
            Self::OpenAiResponses => "/responses",
        }
    }

    /// The address of the API's operation.
    ///
    /// | base URL | gives |
    /// |---|---|
    /// | empty | the API's own host |
    /// | ends in the operation (`…/chat/completions`) | itself |
    /// | has a version in its path (`/v1`, `/v1beta/openai`, `/api/paas/v4`) | base + operation |
    /// | has no path | base + `/v1` + operation |
    /// | has another path (`/anthropic`, `/openai/deployments/x`) | base + operation; Anthropic: base + `/v1` + operation |
    ///
    /// Trailing slashes do not matter and a query stays. Anything but `http` and `https`, a missing host, and a user name
    /// or password in the URL are errors.
    pub fn join(self, base_url: &str, provider: &str) -> Result<Uri, Error> {
        let base = match base_url.trim() {
            "" => self.default_base(),
            given => given,
        };
        let fail = |why: &str| {
            Error::new(ErrorKind::Config, format!("the base URL of provider {provider:?} cannot be used"))
                .why(why)
                .hint(format!("set models.providers.{provider}.baseUrl to something like {}", self.default_base()))
        };
        let base = base.split('#').next().unwrap_or(base);
        let (address, query) = match base.split_once('?') {
            Some((address, query)) => (address, Some(query)),
            None => (base, None),
        };
        let uri: Uri = address.parse().map_err(|error: hyper::http::uri::InvalidUri| fail(&error.to_string()))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(fail("it must begin with http:// or https://"));
        }
        let authority = uri.authority().ok_or_else(|| fail("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(fail("it contains a user name or password; put credentials into apiKey or headers"));
        }
        if authority.host().is_empty() {
            return Err(fail("it names no host"));
        }
        let mut path = uri.path().trim_end_matches('/').to_owned();
        let operation = self.operation();
        if !path.ends_with(operation) {
            let versioned = path.split('/').any(is_version);
            if !versioned && (path.is_empty() || self == Self::AnthropicMessages) {
                path.push_str("/v1");
            }
            path.push_str(operation);
        }
        if let Some(query) = query {
            path.push('?');
            path.push_str(query);
        }
        Uri::builder()
            .scheme(uri.scheme_str().unwrap_or("https"))
            .authority(authority.as_str())
            .path_and_query(path)
            .build()
            .map_err(|error| fail(&error.to_string()))
    }
}

/// `v1`, `v4`, `v1beta`, `v2alpha1`.
fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_as_people_write_them() {
        use WireApi::{AnthropicMessages as A, OpenAiCompletions as C, OpenAiResponses as R};
        for (api, base, expected) in [
            (A, "", "https://api.anthropic.com/v1/messages"),
            (C, "", "https://api.openai.com/v1/chat/completions"),
            (R, "  ", "https://api.openai.com/v1/responses"),
            (A, "https://api.anthropic.com/", "https://api.anthropic.com/v1/messages"),
            (A, "https://api.anthropic.com/v1", "https://api.anthropic.com/v1/messages"),
            (A, "https://api.anthropic.com/v1/messages", "https://api.anthropic.com/v1/messages"),
            (A, "https://api.deepseek.com/anthropic", "https://api.deepseek.com/anthropic/v1/messages"),
            (C, "http://127.0.0.1:11434", "http://127.0.0.1:11434/v1/chat/completions"),
            (C, "http://127.0.0.1:11434/v1//", "http://127.0.0.1:11434/v1/chat/completions"),
            (C, "http://[::1]:8080/v1", "http://[::1]:8080/v1/chat/completions"),
            (C, "https://openrouter.ai/api/v1/chat/completions/", "https://openrouter.ai/api/v1/chat/completions"),
            (C, "https://g.example/v1beta/openai/", "https://g.example/v1beta/openai/chat/completions"),
            (C, "https://z.example/api/paas/v4", "https://z.example/api/paas/v4/chat/completions"),
            (
                C,
                "https://a.example/openai/deployments/x?api-version=1",
                "https://a.example/openai/deployments/x/chat/completions?api-version=1",
            ),
            (R, "https://api.openai.com", "https://api.openai.com/v1/responses"),
        ] {
            assert_eq!(api.join(base, "p").expect(base).to_string(), expected, "{base}");
        }
    }

    #[test]
    fn unusable_base_urls_are_explained_without_being_shown() {
        for base in
            ["ftp://x", "localhost:8080", "/v1", "https://", "https://me:secret@host/v1", "http://a b", "secret"]
        {
            let error = WireApi::OpenAiCompletions.join(base, "mine").expect_err(base);
            let text = format!("{error} {:?}", error.fix());
            assert_eq!(error.kind(), ErrorKind::Config, "{base}");
            assert!(text.contains("mine") && !text.contains("secret"), "{text}");
        }
        assert_eq!(WireApi::parse("gemini", "g").expect_err("unknown").kind(), ErrorKind::Config);
    }
}
