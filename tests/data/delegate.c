// An external TFLite delegate for the tests. It takes the int8 average pools of a graph and computes them, or
// fails, as its options say:
//   mode  compute (default), refuse (its Prepare fails), idle (takes nothing), unplugged (fails from its tenth pool
//         on); any other: it is not created
//   log   a file to which it appends a line for each pool that it computes
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/lite/builtin_ops.h"
#include "tensorflow/lite/core/c/common.h"

// The start of TfLitePoolParams, builtin_op_data.h.
struct PoolParams {
    enum { PADDING_UNKNOWN, PADDING_SAME, PADDING_VALID } padding;
    int stride_width, stride_height, filter_width, filter_height;
};

struct Plugin {
    TfLiteDelegate delegate;
    char mode[16];
    char log[4096];
    int computed;
};

struct Pool {
    struct PoolParams params;
    int input, output;
    struct Plugin* plugin;
};

static void* init(TfLiteContext* context, const char* buffer, size_t length) {
    (void)length;
    const TfLiteDelegateParams* part = (const TfLiteDelegateParams*)buffer;
    TfLiteNode* node;
    TfLiteRegistration* registration;
    context->GetNodeAndRegistration(context, part->nodes_to_replace->data[0], &node, &registration);
    struct Pool* pool = malloc(sizeof *pool);
    pool->params = *(const struct PoolParams*)node->builtin_data;
    pool->input = node->inputs->data[0];
    pool->output = node->outputs->data[0];
    pool->plugin = part->delegate->data_;
    return pool;
}

static void release(TfLiteContext* context, void* pool) {
    (void)context;
    free(pool);
}

static TfLiteStatus prepare_node(TfLiteContext* context, TfLiteNode* node) {
    (void)context;
    (void)node;
    return kTfLiteOk;
}

// Pixels before the first that a window of SAME padding has.
static int padding(int kind, int in, int out, int stride, int filter) {
    int all = (out - 1) * stride + filter - in;
    return kind == PADDING_SAME && all > 0 ? all / 2 : 0;
}

// As TFLite's reference_integer_ops::AveragePool: rounded to the nearest, halves away from zero.
static TfLiteStatus invoke(TfLiteContext* context, TfLiteNode* node) {
    const struct Pool* pool = node->user_data;
    const struct PoolParams* p = &pool->params;
    struct Plugin* plugin = pool->plugin;
    if (++plugin->computed >= 10 && !strcmp(plugin->mode, "unplugged")) return kTfLiteDelegateError;
    const TfLiteTensor* in = &context->tensors[pool->input];
    TfLiteTensor* out = &context->tensors[pool->output];
    int in_h = in->dims->data[1], in_w = in->dims->data[2], channels = in->dims->data[3];
    int out_h = out->dims->data[1], out_w = out->dims->data[2];
    int top = padding(p->padding, in_h, out_h, p->stride_height, p->filter_height);
    int left = padding(p->padding, in_w, out_w, p->stride_width, p->filter_width);
    for (int y = 0; y < out_h; y++)
        for (int x = 0; x < out_w; x++)
            for (int c = 0; c < channels; c++) {
                int sum = 0, count = 0;
                for (int fy = 0; fy < p->filter_height; fy++)
                    for (int fx = 0; fx < p->filter_width; fx++) {
                        int iy = y * p->stride_height - top + fy, ix = x * p->stride_width - left + fx;
                        if (iy < 0 || iy >= in_h || ix < 0 || ix >= in_w) continue;
                        sum += in->data.int8[(iy * in_w + ix) * channels + c];
                        count++;
                    }
                out->data.int8[(y * out_w + x) * channels + c] =
                    (int8_t)((sum > 0 ? sum + count / 2 : sum - count / 2) / count);
            }
    if (plugin->log[0]) {
        FILE* log = fopen(plugin->log, "a");
        if (!log) return kTfLiteError;
        fprintf(log, "pool %dx%dx%d\n", out_h, out_w, channels);
        fclose(log);
    }
    return kTfLiteOk;
}

static TfLiteStatus prepare(TfLiteContext* context, TfLiteDelegate* delegate) {
    const struct Plugin* plugin = delegate->data_;
    if (!strcmp(plugin->mode, "refuse")) return kTfLiteDelegateError;
    if (!strcmp(plugin->mode, "idle")) return kTfLiteOk;
    TfLiteIntArray* plan;
    if (context->GetExecutionPlan(context, &plan) != kTfLiteOk) return kTfLiteError;
    // Its first element is the number of the others.
    int* taken = calloc(plan->size + 1, sizeof(int));
    for (int i = 0; i < plan->size; i++) {
        TfLiteNode* node;
        TfLiteRegistration* registration;
        context->GetNodeAndRegistration(context, plan->data[i], &node, &registration);
        int is_pool = registration->builtin_code == kTfLiteBuiltinAveragePool2d &&
                      context->tensors[node->inputs->data[0]].type == kTfLiteInt8;
        if (is_pool) taken[++taken[0]] = plan->data[i];
    }
    TfLiteRegistration kernel = {0};
    kernel.init = init;
    kernel.free = release;
    kernel.prepare = prepare_node;
    kernel.invoke = invoke;
    kernel.custom_name = "test pool";
    kernel.version = 1;
    TfLiteStatus status = context->ReplaceNodeSubsetsWithDelegateKernels(
        context, kernel, (const TfLiteIntArray*)taken, delegate);
    free(taken);
    return status;
}

TfLiteDelegate* tflite_plugin_create_delegate(const char* const* keys, const char* const* values, size_t count,
                                              void (*report_error)(const char*)) {
    (void)report_error;
    struct Plugin* plugin = calloc(1, sizeof *plugin);
    strcpy(plugin->mode, "compute");
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(keys[i], "mode")) snprintf(plugin->mode, sizeof plugin->mode, "%s", values[i]);
        if (!strcmp(keys[i], "log")) snprintf(plugin->log, sizeof plugin->log, "%s", values[i]);
    }
    const char* modes[] = {"compute", "refuse", "idle", "unplugged"};
    for (int i = 0; i < 4; i++)
        if (!strcmp(plugin->mode, modes[i])) {
            plugin->delegate.data_ = plugin;
            plugin->delegate.Prepare = prepare;
            plugin->delegate.flags = kTfLiteDelegateFlagsNone;
            return &plugin->delegate;
        }
    free(plugin);
    return NULL;
}

void tflite_plugin_destroy_delegate(TfLiteDelegate* delegate) { free(delegate->data_); }
