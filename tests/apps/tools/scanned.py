#!/usr/bin/env python3
"""What sslyze finds of a server, judged by Mozilla's recommendation: `scanned.py PORT CA_FILE intermediate|modern`.

Prints one JSON object: `issues`, sslyze's own verdict but for the certificate's age and authority, which are the test's; and what
was found. Exit code 1 if something could not be scanned.
"""

import json
import sys
from pathlib import Path

from sslyze import (CertificateInfoExtraArgument, ScanCommand, ScanCommandsExtraArguments, Scanner, ServerNetworkConfiguration,
                    ServerNetworkLocation, ServerScanRequest)
from sslyze.mozilla_tls_profile.tls_config_checker import (SCAN_COMMANDS_NEEDED_BY_MOZILLA_CHECKER, MozillaTlsConfiguration,
                                                           ServerNotCompliantWithTlsConfiguration, TlsConfigurationEnum,
                                                           check_server_against_tls_configuration)

port, ca_file, profile = int(sys.argv[1]), Path(sys.argv[2]), TlsConfigurationEnum(sys.argv[3])
scanner = Scanner()
scanner.queue_scans([ServerScanRequest(
    server_location=ServerNetworkLocation(hostname="localhost", ip_address="127.0.0.1", port=port),
    network_configuration=ServerNetworkConfiguration(tls_server_name_indication="localhost"),
    scan_commands=SCAN_COMMANDS_NEEDED_BY_MOZILLA_CHECKER | {ScanCommand.TLS_1_3_EARLY_DATA},
    scan_commands_extra_arguments=ScanCommandsExtraArguments(
        certificate_info=CertificateInfoExtraArgument(custom_ca_file=ca_file)),
)])
result = next(iter(scanner.get_results()))
if result.scan_result is None:
    sys.exit(f"it could not be scanned: {result.connectivity_error_trace}")
for name in SCAN_COMMANDS_NEEDED_BY_MOZILLA_CHECKER:
    if trace := getattr(result.scan_result, name.value).error_trace:
        sys.exit("".join(trace.format()))
try:
    check_server_against_tls_configuration(result, MozillaTlsConfiguration.get(profile))
    issues = {}
except ServerNotCompliantWithTlsConfiguration as error:
    issues = error.issues
for of_certificate in ("maximum_certificate_lifespan", "certificate_path_validation"):
    issues.pop(of_certificate, None)

found = result.scan_result
versions = {name: getattr(found, f"{name}_cipher_suites").result for name in ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1", "tls_1_2", "tls_1_3")}
print(json.dumps({
    "issues": issues,
    "suites": {name: sorted(suite.cipher_suite.name for suite in version.accepted_cipher_suites)
               for name, version in versions.items() if version.is_tls_version_supported},
    "curves": sorted(curve.name for curve in found.elliptic_curves.result.supported_curves or []),
    "early_data": found.tls_1_3_early_data.result.supports_early_data,
    "compression": found.tls_compression.result.supports_compression,
    "client_renegotiation": found.session_renegotiation.result.is_vulnerable_to_client_renegotiation_dos,
    "heartbleed": found.heartbleed.result.is_vulnerable_to_heartbleed,
}))
