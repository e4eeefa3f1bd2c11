/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Error codes of the control protocol: JSON-RPC 2.0's and, from its range for
 * servers, our own.
 */
#ifndef CTL_CODE_H
#define CTL_CODE_H

enum rpc_code {
    RPC_PARSE_ERROR = -32700,
    RPC_INVALID_REQUEST = -32600,
    RPC_NO_METHOD = -32601,
    RPC_BAD_PARAMS = -32602,
    RPC_INTERNAL = -32603,
    RPC_FAILED = -32000, /* the switch said no: data.errno says which */
    RPC_DENIED = -32001, /* authority is missing */
    RPC_LIMIT = -32002,  /* one of the server's limits */
};

#endif
