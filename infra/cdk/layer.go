package cdk

import (
	"os"
	"path/filepath"

	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// configFile is where a function finds its configuration: Lambda unpacks layers
// into /opt.
const configFile = "/opt/keyturn.json"

// layerFile is a file of a layer, by where the function finds it.
type layerFile struct {
	path string
	data []byte
}

// layerOf puts a configuration into a layer, so that all vendor accounts share
// one code: see docs/adr/0012-configuration-in-a-layer.md.
func layerOf(scope constructs.Construct, name *string, config []byte, beside ...layerFile) *string {
	dir, err := os.MkdirTemp("", "keyturn-config")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // temporary: the asset has its own copy
	for _, f := range append(beside, layerFile{configFile, config}) {
		if err = os.WriteFile(filepath.Join(dir, filepath.Base(f.path)), f.data, 0o644); err != nil { //nolint:gosec // nothing secret, and Lambda reads it as another user
			panic(err)
		}
	}
	asset := awss3assets.NewAsset(scope, jsii.String("Config"), &awss3assets.AssetProps{Path: &dir})
	layer := awslambda.NewCfnLayerVersion(scope, jsii.String("ConfigLayer"), &awslambda.CfnLayerVersionProps{
		LayerName: name, Description: jsii.String("Configuration, without anything secret"),
		CompatibleRuntimes: jsii.Strings("provided.al2023"), CompatibleArchitectures: jsii.Strings("arm64"),
		Content: map[string]any{"s3Bucket": asset.S3BucketName(), "s3Key": asset.S3ObjectKey()},
	})
	asset.AddResourceMetadata(layer, jsii.String("Content"))
	return layer.Ref()
}
