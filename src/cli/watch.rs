pub async fn watch(_: &std::path::Path) -> anyhow::Result<()> {
    Ok(())
}
