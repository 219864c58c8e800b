//! Generates the gRPC API from `proto/`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tonic_prost_build::configure()
        // Bodies are shared between ten thousand streams.
        .bytes(".creto.v1.Resource.body")
        .bytes(".creto.v1.Delta.manifest")
        .bytes(".creto.v1.StoredGeneration.manifest")
        // One agent has one encoding, whose digest tells whether it changed.
        .btree_map(".creto.v1.Agent.labels")
        // They hold secrets: written by hand in src/secrets.rs, without the value.
        .skip_debug([
            ".creto.v1.PutSecretRequest",
            ".creto.v1.FetchSecretResponse",
            ".creto.v1.ChainKey",
            ".creto.v1.Resource",
        ])
        .compile_protos(
            &[
                "proto/creto/v1/identity.proto",
                "proto/creto/v1/policy.proto",
                "proto/creto/v1/calls.proto",
                "proto/creto/v1/quota.proto",
                "proto/creto/v1/billing.proto",
                "proto/creto/v1/metering.proto",
                "proto/creto/v1/oversight.proto",
                "proto/creto/v1/secrets.proto",
            ],
            &["proto"],
        )?;
    Ok(())
}
