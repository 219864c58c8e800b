//! Generates the gRPC API from `proto/`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tonic_prost_build::configure().bytes(".creto.v1.SignedBundle.bundle").compile_protos(
        &["proto/creto/v1/identity.proto", "proto/creto/v1/policy.proto", "proto/creto/v1/calls.proto"],
        &["proto"],
    )?;
    Ok(())
}
