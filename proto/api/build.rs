//! Generates the gRPC API from `proto/`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tonic_prost_build::configure()
        .bytes(".creto.v1.SignedBundle.bundle")
        // They hold secrets: written by hand in src/secrets.rs, without the value.
        .skip_debug([".creto.v1.PutSecretRequest", ".creto.v1.FetchSecretResponse"])
        .compile_protos(
            &[
                "proto/creto/v1/identity.proto",
                "proto/creto/v1/policy.proto",
                "proto/creto/v1/calls.proto",
                "proto/creto/v1/secrets.proto",
            ],
            &["proto"],
        )?;
    Ok(())
}
