//! `openclaw gateway call`.

use clap::Args;
use serde_json::Value;

use crate::cli::client::{ConnectArgs, RpcClient, Target};
use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::core::{Error, Result};

/// Flags of `gateway call`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  openclaw gateway call health
  openclaw gateway call sessions.list --params '{\"limit\": 5}'
  openclaw gateway call rpc.discover")]
pub(crate) struct CallArgs {
    /// Method, for example sessions.list; rpc.discover describes them all.
    #[arg(value_name = "METHOD")]
    method: String,
    /// Parameters, a JSON object.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    params: String,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Calls the method.
pub(crate) fn run(context: &Context, args: &CallArgs) -> Outcome {
    let params = parameters(&args.params)?;
    let config = context.config().ok(); // dropped: a gateway can be asked with a broken configuration too
    let target = Target::resolve(context, &args.connect, config.as_ref())?;
    let client = RpcClient::new(target, args.connect.patience(), &context.out);
    let result = client.call(&args.method, &params)?;
    context.out.object(&result)
}

fn parameters(text: &str) -> Result<Value> {
    let wrong = |why: String| {
        Error::user("--params is not a JSON object").why(why).hint("use a form like --params '{\"limit\": 5}'")
    };
    let value: Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    if value.is_object() || value.is_array() {
        return Ok(value);
    }
    Err(wrong(format!("'{text}' is neither an object nor a list")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_objects_or_lists() {
        assert!(parameters("{\"a\": 1}").is_ok());
        assert!(parameters("[1]").is_ok());
        assert!(parameters("7").is_err());
        assert!(parameters("{a}").is_err());
    }
}
