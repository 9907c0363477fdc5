//! Puts prices on the usage a provider reports.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;

use crate::providers::{Delta, ModelRequest, ModelStream, Provider, ProviderError, pricing};
use crate::session::message::Cost;

/// A provider whose usage carries the cost of one model.
pub(super) struct Priced {
    pub provider: Arc<dyn Provider>,
    /// US dollars per million tokens.
    pub price: Cost,
}

impl Provider for Priced {
    fn id(&self) -> &str {
        self.provider.id()
    }

    fn stream(&self, request: ModelRequest) -> BoxFuture<'_, Result<ModelStream, ProviderError>> {
        let price = self.price;
        Box::pin(async move {
            let stream = self.provider.stream(request).await?;
            let priced = stream.map(move |item| match item {
                Ok(Delta::Usage(mut usage)) => {
                    pricing::price(&mut usage, &price);
                    Ok(Delta::Usage(usage))
                }
                other => other,
            });
            Ok(Box::pin(priced) as ModelStream)
        })
    }
}
