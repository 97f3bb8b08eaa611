#[rpcgen_macros::service]
mod bank {
    struct Account {
        names: HashMap<String, u64>,
        user: &'static str,
        #[serde(default)]
        note: Option<String>,
    }

    trait Bank {
        async fn unmarked(app_id: AppId);

        #[action]
        async fn pair(&self, app_id: AppId) -> (u8, u8);
    }
}

fn main() {}
