#[rpcgen_macros::service]
trait Bank {
    #[action]
    async fn create_account(user: String) -> u64;

    #[broadcast]
    async fn closed(app_id: u64);
}

fn main() {}
