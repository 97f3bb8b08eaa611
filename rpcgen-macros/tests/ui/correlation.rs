#[rpcgen_macros::service]
trait Bank {
    #[action(returns(key))]
    async fn get_add_funds_key(app_id: AppId) -> String;

    #[broadcast(origin = get_add_funds_kay, by(key))]
    async fn pending_amount(app_id: AppId, key: String);

    #[broadcast(origin = get_add_funds_key, by(amount))]
    async fn arrived(app_id: AppId, amount: u64);

    #[broadcast(origin = get_add_funds_key, by(key))]
    async fn lost(app_id: AppId, key: u64);
}

fn main() {}
